"""Run the pack's stages from the command line: ``python runner.py --help``."""

from critnb.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
