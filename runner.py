"""Run the pack's stages from the command line: ``python runner.py --help``."""

import sys


def main() -> int:
    """Import the command line and run it; says in a line why it cannot be imported."""
    try:
        from critnb.cli.command_line import main as command
    except KeyboardInterrupt:
        return 130
    except (ImportError, MemoryError, OSError) as error:
        words = " ".join(str(error).split()) or "too little memory"
        print(
            f"error: the pack cannot be loaded: {words}\nuse the interpreter of .venv, which make demo sets up",
            file=sys.stderr,
        )
        return 3 if isinstance(error, ModuleNotFoundError) else 1
    return command()


if __name__ == "__main__":
    raise SystemExit(main())
