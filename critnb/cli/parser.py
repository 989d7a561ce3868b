"""The parser of command lines: what it refuses, it refuses in two lines, with the word that may have been meant."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from typing import Any, NoReturn

from critnb.canon import Exit
from critnb.system import terminal

_UNKNOWN = "unrecognized arguments: "
_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)
# more than that nobody reads; --help has them with what they do
_MOST_CHOICES = 16
_WORD = re.compile(r"[\w-]+")


class Parser(argparse.ArgumentParser):
    """Refuses a wrong word or option as the rest of the pack does: in two lines, not with all of its usage."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a whole command line; options that its command does not have are refused by that command's parser."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            getattr(found, "own_parser", self).error(f"{_UNKNOWN}{' '.join(unknown)}")
        return found

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and what may have been meant, and end the process."""
        given, known = self._given_and_known(message)
        folded = {each.casefold(): each for each in known}
        meant = [folded[each] for each in get_close_matches(given.casefold(), folded, n=1)]
        if len(known) > _MOST_CHOICES:
            message = message.partition(" (choose from ")[0]
        advice = f"did you mean {meant[0]}? " if meant else ""
        if any(given in action.option_strings for action in self._actions):
            advice = f"write it behind {self.prog.rpartition(' ')[2]}; "
        terminal.err(f"error: {terminal.plain(message, 500)}", f"{advice}see {self.prog} --help")
        self.exit(int(Exit.BAD_INPUT))

    def _given_and_known(self, message: str) -> tuple[str, list[str]]:
        if found := _CHOICE.search(message):
            return found[1], _WORD.findall(found[2])
        given = message.removeprefix(_UNKNOWN).partition(" ")[0].partition("=")[0]
        options = [each for action in self._actions for each in action.option_strings if each.startswith("--")]
        return given, options if given.startswith("--") else []
