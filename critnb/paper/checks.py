"""Templates and bibliography held against each other, before anything is filled: each finding names file and line.

Both branches of a condition are looked at, so a wrong key in the text for an outcome that never happened yet is found, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
from jinja2 import meta, nodes

from critnb.canon import CANON, ModelRole
from critnb.errors import PaperError
from critnb.paper import bibliography
from critnb.paper.bibliography import Bibliography
from critnb.paper.cells import Ledger
from critnb.paper.markup import ANCHOR, CITE, FIGURE, targets
from critnb.paper.templates import environment, everything, sections

_FIGURES = frozenset(name.partition("_")[0] for name in type(CANON.FIGURE).model_fields)
_TABLES = frozenset(name.partition("_")[0] for name in type(CANON.TABLE).model_fields)
_OPEN_FIGURE = re.compile(r"\]\(fig:([^:)\s]+)")
_CODE = re.compile(r"`[^`\n]*`")
# the level of every interval of the tables' schemas, which no registry holds
_ALLOWED = re.compile(r"95 %")
# names: an identifier is a letter with digits after it (g1, T01, SHA-256 is not)
_NAME = re.compile(r"\b[A-Za-z_]+\d+[A-Za-z]*\b")
_IN_FORMULA = re.compile(r"\b[A-Za-z_]+\d+\b|(?<![\d.])[012](?![\d.])")


@dataclass(frozen=True)
class Checked:
    """The bibliography, and how many citations and templates were held against it."""

    works: Bibliography
    citations: int
    templates: int


def check(folder: Path, names: Iterable[str]) -> Checked:
    """Check every template of a folder; ``names`` are the variables that will be there.

    Raises PaperError, naming file and line, for a template that Jinja cannot read, an undefined variable, an unknown figure
    or table, a citation of a work that the bibliography has not, a work that nothing cites, and a number typed by hand.
    """
    sections(folder)
    works = bibliography.load(folder)
    texts = {path: path.read_text(encoding="utf-8") for path in everything(folder)}
    known = set(names)
    cited: list[str] = []
    for path, text in texts.items():
        _variables(path, text, known)
        for number, line in enumerate(text.splitlines(), start=1):
            where = f"{path}:{number}"
            cited += _citations(where, line, works)
            _references(where, line)
            _shown_figures(where, line)
    for key in works:
        if key not in cited:
            file = folder / CANON.OUTPUT.BIBLIOGRAPHY_YAML_BASENAME
            raise PaperError(f"{file}:{bibliography.line_of(folder, key)}: nothing cites {key}; cite it or take it out")
    return Checked(works, len(cited), len(texts))


def _variables(path: Path, text: str, known: set[str]) -> None:
    made = environment(path.parent, Ledger())
    try:
        tree = made.parse(text, path.name)
        undeclared = meta.find_undeclared_variables(tree) - known
    except jinja2.TemplateSyntaxError as error:
        raise PaperError(f"{path}:{error.lineno}: {error.message}") from None
    for name in tree.find_all(nodes.Name):
        if name.name in undeclared:
            raise PaperError(f"{path}:{name.lineno}: no variable {name.name}; there are {', '.join(sorted(known))}")
    for data in tree.find_all(nodes.TemplateData):
        _typed(path, data)


def _typed(path: Path, data: nodes.TemplateData) -> None:
    for offset, line in enumerate(data.data.split("\n")):
        for code in _CODE.findall(line):
            _refuse_digits(path, data.lineno + offset, _IN_FORMULA.sub("", code), code)
        prose = _ALLOWED.sub("", _CODE.sub("", line))
        for markup in (CITE, ANCHOR, re.compile(r"\(fig:[^)]*\)?")):
            prose = markup.sub("", prose)
        _refuse_digits(path, data.lineno + offset, _NAME.sub("", prose), line)


def _refuse_digits(path: Path, line: int, rest: str, shown: str) -> None:
    if re.search(r"\d", rest):
        raise PaperError(
            f"{path}:{line}: a number is typed by hand in {shown.strip()[:60]!r}; take it from the evidence"
        )


def _citations(where: str, line: str, works: Bibliography) -> Iterator[str]:
    for match in CITE.finditer(line):
        for target in targets(match[1]):
            if target.kind == "work":
                if target.key not in works:
                    raise PaperError(f"{where}: [@{target.key}] cites a work that the bibliography has not")
                yield target.key


def _references(where: str, line: str) -> None:
    named = [target for match in CITE.finditer(line) for target in targets(match[1]) if target.kind != "work"]
    for target in named:
        if target.key not in (_FIGURES if target.kind == "fig" else _TABLES):
            raise PaperError(f"{where}: there is no {target.words}; known are those of the registry")


def _shown_figures(where: str, line: str) -> None:
    ids = _OPEN_FIGURE.findall(line)
    for figure in ids:
        if figure not in _FIGURES:
            raise PaperError(f"{where}: there is no figure {figure}; known are those of the registry")
    for match in FIGURE.finditer(line):
        if match[3] not in ModelRole.__members__:
            raise PaperError(f"{where}: figure {match[2]} is of no model role {match[3]}")
