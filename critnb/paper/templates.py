"""Templates of the paper: Jinja2 in a sandbox, where an unknown name is an error and a bare number is one, too."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from critnb.canon import CANON, PACK_ROOT, SpikeDef
from critnb.errors import PaperError
from critnb.paper.cells import TEXT, WORDS, Cell, Fragment, Ledger, bare, escaped
from critnb.report.links import to_file, to_readable
from critnb.report.words import SPIKE_NAMES, agreeing, among, spelled, told

FOLDER = PACK_ROOT / CANON.PATH.PAPER_DIR
_SHARED = "_"
_SUFFIX = ".md"


def sections(folder: Path) -> list[str]:
    """Return the basenames of the templates that are sections of the paper, in order; raises PaperError where none is."""
    names = sorted(path.name for path in folder.glob(f"*{_SUFFIX}") if not path.name.startswith(_SHARED))
    if not names:
        raise PaperError(f"{folder}: no templates ({_SUFFIX} files) of the paper are there")
    return names


def everything(folder: Path) -> list[Path]:
    """Return every template, shared macros too."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def environment(folder: Path, ledger: Ledger) -> SandboxedEnvironment:
    """Return the sandbox in which templates are filled; what they show goes into the ledger."""
    made = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize(ledger),
    )
    shown: dict[str, Callable[..., Any]] = {
        "fixed": lambda cell, digits=3: ledger.show(cell, f".{digits}f"),
        "general": lambda cell, digits=3: ledger.show(cell, f".{digits}g"),
        "percent": lambda cell, digits=1: ledger.show(cell, f".{digits}%"),
        "p": lambda cell: ledger.show(cell, "p"),
        "spike": lambda name: Fragment(SPIKE_NAMES[SpikeDef(bare(name))]),
        "code": lambda text: Fragment(f"`{str(bare(text)).replace('`', '')}`"),
        "spoken": lambda name: escaped(_spoken(str(bare(name)))),
        "short": lambda digest: str(bare(digest))[:12],
        "opened": _opened,
        "interval": _interval(ledger),
        "counted": _counted(ledger),
        "told": lambda cell: ledger.show(cell, WORDS),
        "among": _among(ledger),
        "part": _part(ledger),
        "outcome": _outcome(ledger),
        "agreeing": lambda cell, one, several: agreeing(bare(cell), one, several),
        "how_many": lambda things, noun, nouns="": (
            f"{spelled(len(things))} {agreeing(len(things), noun, nouns or noun + 's')}"
        ),
    }
    made.filters.update(shown)
    return made


def _opened(path: str, run_id: str) -> Fragment:
    """Show a run's file as a link to it, and where it is a results table another to the same as text."""
    link = f"[`{path}`]({to_file(path, run_id)})"
    as_text = to_readable(path, run_id)
    return Fragment(link if as_text == to_file(path, run_id) else f"{link} · [csv]({as_text})")


def _spoken(identifier: str) -> str:
    """``S1_BRANCHING`` as ``S1 branching``."""
    first, *words = identifier.split("_")
    return " ".join([first, *(word.lower() for word in words)])


def _interval(ledger: Ledger) -> Callable[..., Fragment]:
    def interval(row: Any, name: str, digits: int = 3, stem: str = "") -> Fragment:
        """Show a row's value with the ends of its interval, alone where they are not available."""
        ends = stem or (name if name.startswith("opt_") else f"opt_{name}")
        cells = [row.at(column) for column in (name, f"{ends}_ci_low", f"{ends}_ci_high")]
        shown = cells if all(cell.available for cell in cells) else cells[:1]
        value, *bounds = (ledger.show(cell, f".{digits}f") for cell in shown)
        return Fragment(f"{value}\u00a0\\[{bounds[0]},\u00a0{bounds[1]}\\]") if bounds else value

    return interval


def _counted(ledger: Ledger) -> Callable[..., Fragment]:
    def counted(cell: Any, noun: str, nouns: str = "") -> Fragment:
        """Show a whole number with its noun, in the plural where there is not one; small numbers in words."""
        return Fragment(f"{ledger.show(cell, WORDS)} {agreeing(bare(cell), noun, nouns or f'{noun}s')}")

    return counted


def _among(ledger: Ledger) -> Callable[..., Fragment]:
    def among_all(cell: Any, total: Any, noun: str, nouns: str = "") -> Fragment:
        """Show a share of things as ``among`` says it, its numbers marked as the cells that they are."""
        n, of = bare(cell), bare(total)
        said = among(n, of, noun, nouns)
        for source in (total, cell):
            word = re.compile(rf"\b{told(bare(source))}\b")
            if found := word.search(said):
                said = f"{said[: found.start()]}{ledger.show(source, WORDS)}{said[found.end() :]}"
            if n == of:
                break
        return Fragment(said)

    return among_all


def _part(ledger: Ledger) -> Callable[..., Fragment]:
    def part(cell: Any, total: Any) -> Fragment:
        """Show a number of things of which the total was said just before: "none", "two", "all six"."""
        word = ledger.show(cell, WORDS)
        return Fragment(f"all {word}") if bare(cell) == bare(total) > 1 else word

    return part


def _outcome(ledger: Ledger) -> Callable[..., Fragment]:
    among_all = _among(ledger)

    def outcome(found: Any, noun: str, hold: str = "hold", total: str = "conditions") -> Fragment:
        """Show at how many of a claim's conditions in one role it holds, and how many are not available.

        ``hold`` and ``total`` name the claim's numbers; "unknown" counts what is not available.
        """
        n, of, unknown = (found.number(name) for name in (hold, total, "unknown"))
        rest = f" ({ledger.show(unknown, WORDS)} not available)" if unknown > 0 else ""
        return Fragment(f"{among_all(n, of, noun)}{rest}")

    return outcome


def _finalize(ledger: Ledger) -> Callable[[Any], Any]:
    def finalize(value: Any) -> Any:
        match value:
            case Fragment() | jinja2.Undefined():
                return value
            case Cell(value=str()):
                return ledger.show(value, TEXT)
            case Cell(value=bool()):
                return Fragment("yes" if value else "no")
            case Cell(value=int()):
                return ledger.show(value, "d")
            case Cell():
                raise PaperError(
                    f"{value.origin.column} is printed without saying how many digits; use fixed or general"
                )
            case str():
                return escaped(value)
            case _:
                raise PaperError(f"{value!r} ({type(value).__name__}) is printed, but is neither words nor a cell")

    return finalize


def fill(folder: Path, names: Mapping[str, Any], ledger: Ledger) -> dict[str, str]:
    """Return each section's Markdown, its values marked; raises PaperError naming the template and its line."""
    made = environment(folder, ledger)
    filled = {}
    for section in sections(folder):
        ledger.section = section
        try:
            filled[section] = made.get_template(section).render(names)
        except (jinja2.TemplateError, PaperError, LookupError, AttributeError, TypeError, ValueError) as error:
            raise PaperError(f"{place_of(error, folder, section)}: {_first_line(error)}") from error
    return filled


def place_of(error: BaseException, folder: Path, section: str) -> str:
    """Return ``file:line`` of the template in which an error arose, as far as it is known."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{folder / (error.name or section)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).parent == folder]
    return f"{inside[-1].filename}:{inside[-1].lineno}" if inside else str(folder / section)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
