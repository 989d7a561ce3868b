"""From facts and templates to the paper's files, all of them in memory: nothing is written before everything is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it.token import Token

from critnb.canon import CANON, ModelRole, Stage
from critnb.errors import PaperError
from critnb.paper import html, pdf
from critnb.paper.bibliography import Bibliography, Work
from critnb.paper.cells import MARKED, Cell, Fragment, Kind, Ledger, Origin
from critnb.paper.checks import check
from critnb.paper.claims import RoleEvidence
from critnb.paper.facts import PaperFacts
from critnb.paper.figures import Picture, picture
from critnb.paper.markup import ANCHOR, ANCHOR_TOKEN, CITE, FIGURE, REFERENCE_TOKEN, parse, parser, targets, walk
from critnb.paper.templates import FOLDER, fill
from critnb.paper.typesetting import Typesetting, figure_key
from critnb.runs.files import sha256_file

_WORKS = "works"
Pictures = Mapping[tuple[str, str], Picture]


@dataclass(frozen=True, eq=False)
class Paper:
    """The finished paper: Markdown by basename, HTML, PDF, and its evidence as JSON has it."""

    markdown: Mapping[str, str]
    html: str
    pdf: bytes
    evidence: Mapping[str, Any]
    n_values: int
    n_citations: int
    n_pictures: int


def compose(facts: PaperFacts, folder: Path = FOLDER) -> Paper:
    """Return the paper of the facts, from the templates of a folder.

    Raises:
        PaperError: as ``check``, and for a reference to a figure or table that the filled paper does not show.
        DependencyError, IntegrityError: a figure is missing or not the one that its record names.
    """
    names = facts.names()
    checked = check(folder, [*names, _WORKS])
    ledger = Ledger()
    filled = fill(folder, {**names, _WORKS: _listed(checked.works, folder)}, ledger)
    markdown = parser()
    tokens = {section: parse(markdown, text) for section, text in filled.items()}
    pictures = _pictures(tokens, facts.roles)
    _check_places(folder, tokens, pictures)
    setting = Typesetting(
        facts.title, facts.authors, _made_of(facts), facts.claims_file.run_id, checked.works, ledger, pictures
    )
    return Paper(
        markdown={section: _plain_markdown(text, checked.works, pictures) for section, text in filled.items()},
        html=html.page(markdown, list(tokens.values()), setting),
        pdf=pdf.compiled(list(tokens.values()), setting),
        evidence={"values": ledger.as_dict(), "figures": [each.as_dict() for each in pictures.values()]},
        n_values=len(ledger.entries),
        n_citations=checked.citations,
        n_pictures=len(pictures),
    )


def _made_of(facts: PaperFacts) -> str:
    """Return version, models by role, and the texts that were read; no time, so that a paper made again is the same bytes."""
    records = [each.runs[stage].record for each in facts.roles for stage in (Stage.S03, Stage.S06B)]
    models = [
        f"{(record.model or {}).get('id')} ({each.role})"
        for each, record in zip(facts.roles, records[::2], strict=True)
    ]
    texts = sorted({f"{name}: {data.get('source')}" for record in records for name, data in record.datasets.items()})
    return "; ".join([f"{CANON.PROJECT.ID} {facts.version}", ", ".join(models), *texts])


def _listed(works: Bibliography, folder: Path) -> list[dict[str, Any]]:
    """Return the works for the list of references, each line a field of the bibliography."""
    name = CANON.OUTPUT.BIBLIOGRAPHY_YAML_BASENAME
    digest, _ = sha256_file(folder / name)

    def line(key: str, work: Work) -> Cell:
        return Cell(work.line, Origin(Kind.FIELD, name, key, artifact=f"{CANON.PATH.PAPER_DIR}/{name}", sha256=digest))

    return [{"key": Fragment(key), "line": line(key, work), "link": work.link} for key, work in works.items()]


def _pictures(tokens: Mapping[str, Sequence[Token]], roles: Sequence[RoleEvidence]) -> Pictures:
    by_role: dict[ModelRole, RoleEvidence] = {each.role: each for each in roles}
    shown = [figure_key(token) for section in tokens.values() for token in walk(section) if token.type == "image"]
    return {(figure, role): picture(by_role, figure, role) for figure, role in dict.fromkeys(shown)}


def _check_places(folder: Path, tokens: Mapping[str, Sequence[Token]], pictures: Pictures) -> None:
    """Raise PaperError for a reference whose figure or table stands nowhere in the filled paper."""
    places = {f"fig:{figure}" for figure, _ in pictures}
    places |= {token.meta["name"] for each in tokens.values() for token in walk(each) if token.type == ANCHOR_TOKEN}
    for section, each in tokens.items():
        for token in walk(each):
            for target in token.meta["targets"] if token.type == REFERENCE_TOKEN else []:
                if f"{target.kind}:{target.key}" not in places:
                    raise PaperError(
                        f"{folder / section}: {target.words} is referred to, but this paper does not show it"
                    )


def _plain_markdown(text: str, works: Bibliography, pictures: Pictures) -> str:
    """Return a section as Markdown that any reader of Markdown shows, its figures those of the runs beside it."""
    text = MARKED.sub(lambda match: match[2], text)
    text = FIGURE.sub(lambda match: f"![{match[1]}]({pictures[match[2], match[3]].seen_from_paper('.png')})", text)
    text = ANCHOR.sub(lambda match: "" if match[1].startswith("ref:") else match[1].partition(":")[2], text)
    return CITE.sub(lambda match: _cited_words(match[1], works), text)


def _cited_words(inside: str, works: Bibliography) -> str:
    named = targets(inside)
    if all(target.kind == "work" for target in named):
        return f"({'; '.join(works[target.key].label for target in named)})"
    return ", ".join(target.words for target in named)
