"""The command ``completion``: a script by which a shell completes commands, options, run ids and params files.

It is written from the parser itself and asks no Python when a key is pressed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from critnb.canon import Exit, Stage
from critnb.params import Params
from critnb.params.problems import known_keys
from critnb.system.terminal import out

_ZSH = "autoload -U +X compinit bashcompinit && compinit -u && bashcompinit"
# what stands behind an option or in a place, by how the help calls it
_KINDS = {"RUN": "<run>", "DIR": "<folder>", "FOLDER": "<folder>", "KEY=VALUE": "<key>", "STAGE=RUN": "<pin>"}
_FILES = ("FILE", "KEY", "ZIP")
_PARAMS = ("params", "file")


def completion(parser: argparse.ArgumentParser, shell: str) -> int:
    """Print the script for a shell."""
    template = Path(__file__).with_suffix(".sh").read_text(encoding="utf-8")
    for name, text in _parts(_commands(parser)).items():
        template = template.replace(f"@{name}@", text)
    out(*template.replace("@ZSH@\n", f"{_ZSH}\n" if shell == "zsh" else "").rstrip("\n").split("\n"))
    return int(Exit.DONE)


def _commands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    (found,) = (each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return found


def _parts(commands: Mapping[str, argparse.ArgumentParser]) -> dict[str, str]:
    options = {word: " ".join(_options(command)) for word, command in commands.items()}
    values = {word: tuple(_values(command)) for word, command in commands.items()}
    return {
        "COMMANDS": " ".join(commands),
        "KEYS": " ".join(f"{section}.{key}=" for section in Params.model_fields for key in known_keys((section,))),
        "PINS": " ".join(f"{stage}=" for stage in Stage),
        "OPTIONS": _cases(options),
        "VALUES": _cases({f"{word} {where}": said for word in values for where, said in values[word]}),
    }


def _cases(answers: Mapping[str, str]) -> str:
    """Return the branches of a case statement, one for all that have the same answer."""
    asked: dict[str, list[str]] = {}
    for asking, answer in answers.items():
        asked.setdefault(answer, []).append(f"'{asking}'")
    return "\n".join(f"        {' | '.join(each)}) echo '{answer}' ;;" for answer, each in asked.items())


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        yield from (each for each in action.option_strings if each.startswith("--"))


def _values(command: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield option, or ``arguments``, and what it takes: its choices, or a kind."""
    for action in command._actions:
        if action.nargs == 0:
            continue
        if action.choices is not None:
            said = " ".join(map(str, action.choices))
        elif action.dest in _PARAMS:
            said = "<params>"
        else:
            metavar = str(action.metavar or action.dest.upper())
            said = "<file>" if metavar in _FILES else _KINDS.get(metavar, "<nothing>")
        yield from ((each, said) for each in action.option_strings or ["arguments"])
