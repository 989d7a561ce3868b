"""The command line of an installed pack: ``python -m critnb --help``."""

from critnb.cli.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
