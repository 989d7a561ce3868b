"""The command line: words to calls, errors to exit codes."""

from __future__ import annotations

import argparse
import json
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from critnb import __version__
from critnb.canon import SPEC_DIR, Exit
from critnb.cli.arguments import compare_options, json_option, list_options, power_options, run_options, stage_options
from critnb.cli.parser import Parser
from critnb.contract import STAGES
from critnb.errors import ParamsError
from critnb.params import Params
from critnb.pipeline.options import RunOptions
from critnb.system import terminal
from critnb.system.failures import message_and_exit
from critnb.system.signals import ending_like_ctrl_c, how_interrupted

# the commands with --json; verify-release is verify with --release
_WITH_JSON = ("list", "show", "verify", "verify-release", "diff", "compare", "prune", "power", "params")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; refusals go to stderr in one or two lines, tracebacks only with -v."""
    terminal.open_closed_streams()
    arguments = _parser().parse_args(argv)
    with ending_like_ctrl_c():
        return _answer(arguments)


def _answer(arguments: argparse.Namespace) -> int:
    runs_stages = hasattr(arguments, "word")
    try:
        handler: Callable[[argparse.Namespace], int] = arguments.handler
        return handler(arguments)
    except KeyboardInterrupt as interrupt:
        terminal.err(how_interrupted(interrupt) + ("; continue with --allow-resume" if runs_stages else ""))
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        terminal.drop_stdout()
        # whoever read a listing has read enough; stages that were still to run have not run
        return int(Exit.STAGE_FAILED if runs_stages else Exit.DONE)
    except Exception as error:
        if arguments.verbose:
            terminal.err(*traceback.format_exc().rstrip().split("\n"))
        text, code = message_and_exit(error)
        terminal.err(*f"error: {text}".split("\n"))
        return int(code)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="runner.py",
        description="Run stages of the pack, or look at what they left.",
        epilog=f"exit codes: {', '.join(f'{int(code)} {code.label}' for code in Exit)}",
    )
    parser.add_argument("--version", action="version", version=f"critnb {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for word, help_text in _stage_words():
        stage = commands.add_parser(word, help=help_text, description=help_text)
        stage_options(stage)
        stage.set_defaults(handler=_run_stages, word=word, own_parser=stage)
    _sweep_options(commands)
    list_options(_add(commands, "list", _look("list_runs"), "list runs", runs=True))
    json_option(_add(commands, "show", _look("show"), "show a run", runs=True)).add_argument("run", metavar="RUN")
    verify = json_option(_add(commands, "verify", _verify, "hash every file of runs again", runs=True))
    verify.add_argument("run", metavar="RUN", nargs="*", help="all runs if none is named")
    verify.add_argument("--release", type=Path, metavar="FILE", help="check a release's zip from scratch instead")
    verify.add_argument("--no-recompute", action="store_true", help="of a release, do not compute the tables again")
    verify.add_argument(
        "--signer", type=Path, metavar="FILE", help="demand a release signed by a public key or one of a list"
    )
    release = _add(commands, "release", _release, "sign a release with an SSH key", runs=True)
    release.add_argument(
        "--sign", type=Path, metavar="KEY", required=True, help="private key, or public one of the agent"
    )
    release.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where the zip and its signature go; here if not given"
    )
    release.add_argument("zip", type=Path, metavar="ZIP", nargs="?", help="the newest release of the runs if not given")
    diff = json_option(_add(commands, "diff", _look("diff"), "say what differs between two runs of a stage", runs=True))
    diff.add_argument("old", metavar="RUN", help="a run id, or the path of a run in another folder")
    diff.add_argument("new", metavar="RUN")
    compare_options(
        _add(
            commands, "compare", _compare, "set runs side by side: of each condition what every run measured", runs=True
        )
    )
    prune = _add(
        commands,
        "prune",
        _look("prune"),
        "name runs that newer code has superseded, that rest on a run that is gone, or that were left incomplete",
        runs=True,
    )
    json_option(prune).add_argument("--delete", action="store_true", help="remove them")
    prune.add_argument("--outdated", action="store_true", help="name runs of other code than this pack's, too")
    init = _add(
        commands, "init", _init, "lay out a working folder: the pack's notebooks and params files, to change and run"
    )
    init.add_argument("folder", type=Path, metavar="DIR", help="a folder that is new or empty")
    power_options(
        _add(
            commands, "power", _power, "say how many windows a change between g1 and g* takes to be detected", runs=True
        )
    )
    index = _add(commands, "index", _index, "write the page of all runs anew", runs=True)
    index.add_argument("--open", action="store_true", help="show it, where there is a desktop")
    json_option(_add(commands, "params", _look("params"), "print resolved parameters")).add_argument(
        "file", metavar="FILE"
    )
    schema = _add(
        commands, "schema", _schema, "print the JSON Schema of the parameters, or of what a command prints as JSON"
    )
    schema.add_argument("of", nargs="?", choices=_WITH_JSON, metavar="COMMAND", help=f"one of {', '.join(_WITH_JSON)}")
    completion = _add(commands, "completion", _completion, "print a script that lets a shell complete all this")
    completion.add_argument("shell", choices=["bash", "zsh"])
    return parser


def _stage_words() -> list[tuple[str, str]]:
    phases: dict[str, str] = {}
    for spec in STAGES:
        phases[spec.phase] = f"{phases[spec.phase]} + {spec.id}" if spec.phase in phases else f"stage {spec.id}"
    words = [*phases.items(), *((spec.command, f"{spec.id}: {spec.asks}") for spec in STAGES)]
    return [*words, ("all", "every stage, for every model role of the params")]


def _add(
    commands: Any, word: str, handler: Callable[[argparse.Namespace], int], help_text: str, *, runs: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(word, help=help_text, description=help_text)
    run_options(command, *(["runs_dir"] if runs else []), "verbose")
    command.set_defaults(handler=handler, own_parser=command)
    return command


def _sweep_options(commands: Any) -> None:
    help_text = "run many params, several runs at once, and write one table over them"
    sweep = commands.add_parser("sweep", help=help_text, description=help_text)
    sweep.add_argument("file", metavar="FILE", help="a list of overrides, or a params file with a section sweep")
    sweep.add_argument(
        "--to",
        dest="word",
        default="phase5",
        choices=[word for word, _ in _stage_words()],
        metavar="COMMAND",
        help="which command is run of each; phase5 if not given",
    )
    sweep.add_argument("--array", metavar="I/N", help="run the I-th of N parts only, as a job of an array")
    sweep.add_argument("--collect", action="store_true", help="run nothing; write the table of what is finished")
    stage_options(sweep, params=None, of_sweep=True)
    sweep.set_defaults(handler=_sweep, own_parser=sweep)


def _run_stages(arguments: argparse.Namespace) -> int:
    from critnb.cli.stages import run_stages

    return run_stages(arguments)


def _sweep(arguments: argparse.Namespace) -> int:
    from critnb.cli.sweep import run_sweep

    return run_sweep(arguments)


def _look(word: str) -> Callable[[argparse.Namespace], int]:
    def handler(arguments: argparse.Namespace) -> int:
        from critnb.cli import look

        command: Callable[[argparse.Namespace], int] = getattr(look, word)
        return command(arguments)

    return handler


def _verify(arguments: argparse.Namespace) -> int:
    from critnb.cli.verify import verify_release, verify_runs

    if arguments.release is not None:
        if arguments.run:
            raise ParamsError(f"verify takes a run or --release FILE, not both; leave {arguments.run[0]} out")
        asked = {"recompute": not arguments.no_recompute, "signer": arguments.signer, "as_json": arguments.json}
        return verify_release(arguments.release, **asked)
    if arguments.signer is not None:
        raise ParamsError("--signer is for verify --release FILE")
    if arguments.no_recompute:
        raise ParamsError("--no-recompute is for verify --release FILE")
    return verify_runs(RunOptions.of_command(vars(arguments)).store(), arguments.run, as_json=arguments.json)


def _release(arguments: argparse.Namespace) -> int:
    from critnb.release.signature import signature_path
    from critnb.release.signed_copy import newest_zip, sign_copy

    zip_file, key = sign_copy(
        arguments.zip or newest_zip(RunOptions.of_command(vars(arguments)).store()), arguments.sign, arguments.to
    )
    terminal.out(zip_file, f"{signature_path(zip_file)}  {key}")
    return int(Exit.DONE)


def _init(arguments: argparse.Namespace) -> int:
    from critnb.cli.init import init

    return init(arguments.folder)


def _power(arguments: argparse.Namespace) -> int:
    from critnb.cli.power import power

    return power(arguments)


def _compare(arguments: argparse.Namespace) -> int:
    from critnb.cli.compare import compare

    return compare(arguments)


def _index(arguments: argparse.Namespace) -> int:
    from critnb.review.index import write_index
    from critnb.system.desktop import show

    page = write_index(RunOptions.of_command(vars(arguments)).store())
    terminal.out(page)
    if arguments.open:
        show(page)
    return int(Exit.DONE)


def _completion(arguments: argparse.Namespace) -> int:
    from critnb.cli.completion import completion

    return completion(_parser(), arguments.shell)


def _schema(arguments: argparse.Namespace) -> int:
    if arguments.of in (None, "params"):
        terminal.out_json(Params.model_json_schema())
    elif arguments.of == "show":
        terminal.out(*(SPEC_DIR / "run_record.schema.json").read_text(encoding="utf-8").splitlines())
    else:
        schema = json.loads((SPEC_DIR / "commands.schema.json").read_text(encoding="utf-8"))
        terminal.out_json({**schema, "$ref": f"#/$defs/{arguments.of}"})
    return int(Exit.DONE)
