"""What both writers need to set the paper's own tokens: works, shown values, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from critnb.paper.bibliography import Bibliography, Work
from critnb.paper.cells import Ledger
from critnb.paper.figures import Picture


@dataclass(frozen=True, eq=False)
class Typesetting:
    """The paper around its tokens; ``pictures`` by (figure id, role)."""

    title: str
    authors: Sequence[str]
    made_of: str
    works: Bibliography
    ledger: Ledger
    pictures: Mapping[tuple[str, str], Picture]

    def cited(self, token: Token) -> list[tuple[str, Work]]:
        """Return the works of a citation, by key."""
        return [(target.key, self.works[target.key]) for target in token.meta["targets"]]

    def picture_of(self, token: Token) -> Picture:
        """Return the figure that an image token shows."""
        return self.pictures[figure_key(token)]


def figure_key(token: Token) -> tuple[str, str]:
    """Return (figure id, role) of an image token, whose source is ``fig:F03:BASE``."""
    _, figure, role = str(token.attrs["src"]).split(":")
    return figure, role
