"""What both writers need to set the paper's own tokens: works, shown values, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from markdown_it.token import Token

from critnb.paper.bibliography import Bibliography, Work
from critnb.paper.cells import Ledger
from critnb.paper.figures import Picture
from critnb.paper.markup import VALUE_TOKEN
from critnb.report.links import Link, to_readable


@dataclass(frozen=True, eq=False)
class Typesetting:
    """The paper around its tokens: ``made_of`` is of models and data, ``run_id`` of its run; ``pictures`` by (figure id, role)."""

    title: str
    authors: Sequence[str]
    made_of: str
    run_id: str
    works: Bibliography
    ledger: Ledger
    pictures: Mapping[tuple[str, str], Picture]

    def cited(self, token: Token) -> list[tuple[str, Work]]:
        """Return the works of a citation, by key."""
        return [(target.key, self.works[target.key]) for target in token.meta["targets"]]

    def behind(self, tokens: Sequence[Token], end: int) -> list[tuple[str, Link]]:
        """Return run and file of what the shown values of a table stand in, by the ledger; ``end`` is where the table closes."""
        start = max(place for place in range(end) if tokens[place].type == "table_open")
        shown = [child for token in tokens[start:end] for child in token.children or () if child.type == VALUE_TOKEN]
        origins = [self.ledger.entries[child.meta["entry"]].cell.origin for child in shown]
        files = dict.fromkeys((each.run_id, each.artifact) for each in origins if each.run_id)
        return [(run_id, file_link(run_id, path)) for run_id, path in files]

    def picture_of(self, token: Token) -> Picture:
        """Return the figure that an image token shows."""
        return self.pictures[figure_key(token)]


def caption_of(tokens: Sequence[Token], at: int) -> Sequence[Token]:
    """Return what stands in the paragraph right above the table that opens there, nothing where there is none."""
    above = tokens[max(at - 3, 0) : at]
    is_caption = [token.type for token in above] == ["paragraph_open", "inline", "paragraph_close"]
    return (above[1].children or []) if is_caption else []


def file_link(run_id: str, path: str) -> Link:
    """Return the link to a file of a run that a reader can open, named as it is."""
    href = to_readable(path, run_id)
    return Link(PurePosixPath(href).name, href)


def figure_key(token: Token) -> tuple[str, str]:
    """Return (figure id, role) of an image token, whose source is ``fig:F03:BASE``."""
    _, figure, role = str(token.attrs["src"]).split(":")
    return figure, role
