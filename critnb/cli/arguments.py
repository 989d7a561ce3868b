"""What the commands take: options that several share, and the longer lists of those of one."""

from __future__ import annotations

import argparse
from pathlib import Path

from critnb.canon import Stage
from critnb.contract import STAGES
from critnb.pipeline.options import command_line, whole_number

_COMPARED = Stage.S05


def stage_options(parser: argparse.ArgumentParser, *, params: str | None = "base.yaml", of_sweep: bool = False) -> None:
    """Add what commands that run stages take; ``params`` is the file if none is given."""
    parser.add_argument("--params", default=params, metavar="FILE", help="a path, or a name in params/")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value; repeatable")
    parser.add_argument("--device", help="auto, cpu, mps, cuda or cuda:N")
    parser.add_argument("--dtype", help="auto, float32, bfloat16 or float16")
    parser.add_argument("--engine", help="local, or dask for several workers")
    parser.add_argument("--workers", type=whole_number, metavar="N", help="processes that engine dask starts here")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of workers that are there: tcp://HOST:PORT or a file")
    parser.add_argument(
        "--wait", type=int, metavar="SECONDS", help="for a run that another process is making; a day if not given"
    )
    volume = ("quiet", "verbose")
    run_options(parser, *(each.name for each in command_line(of_sweep=of_sweep) if each.name not in volume))
    run_options(parser.add_mutually_exclusive_group(), *volume)


def list_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``list`` takes."""
    parser.add_argument("--stage", type=str.upper, choices=[str(spec.id) for spec in STAGES], help="of one stage")
    run_options(parser, "role")
    parser.add_argument("--model", metavar="TEXT", help="of models whose name holds a text")
    parser.add_argument("--stale", action="store_true", help="superseded, orphaned, abandoned or outdated ones")
    json_option(parser)


def compare_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``compare`` takes."""
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="*",
        help=f"runs of {_COMPARED}, or of what rests on them; all of {_COMPARED} if none is named",
    )
    parser.add_argument("--every-gain", action="store_true", help="the whole grid, not g1 and g* alone")
    form = parser.add_mutually_exclusive_group()
    _json(form)
    form.add_argument("--csv", action="store_true", help="print CSV")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page")


def power_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``power`` takes."""
    parser.add_argument("--params", default="base.yaml", metavar="FILE", help="those of a finished pilot")
    run_options(parser, "role")
    parser.add_argument(
        "--detect", type=float, default=0.005, metavar="CHANGE", help="of delta_b_tot; 0.005 if not given"
    )
    parser.add_argument(
        "--power", type=float, default=0.8, metavar="SHARE", help="of studies that detect it; 0.8 if not given"
    )
    json_option(parser)


def json_option(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Let a command print JSON; returns its parser."""
    _json(parser)
    return parser


def _json(place: argparse._ActionsContainer) -> None:
    place.add_argument("--json", action="store_true", help="print JSON")


def run_options(parser: argparse._ActionsContainer, *names: str) -> None:
    """Add options of a run by the names of their fields."""
    for option in command_line():
        if option.name in names:
            parser.add_argument(*option.metadata["flags"], **option.metadata["argument"])
