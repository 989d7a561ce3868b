"""Re-run benchmarks in one sitting, on one core and with nothing else running, and write the figures that are committed.

    python benchmarks/all.py                  the sitting: rivals, extraction, linearity, race
    python benchmarks/all.py NAME [NAME ...]  these instead, such as tails

The text of a benchmark that fails stays what it was; the exit code then is 1.
"""

from __future__ import annotations

import measuring

# isort: split
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SITTING = ("rivals", "extraction", "linearity", "race")
# models and repeats that fit the sitting; memory is linearity's
ARGUMENTS = {"extraction": ("--repeats", "3", "--only", "embedded", "--only", "512")}
# those whose first line does not say where and when they ran
WITHOUT_HEAD = ("extraction", "gstar", "knock_outs", "calibration", "margins")


def run(name: str) -> bool:
    """Run one benchmark and write its text; says whether it went well."""
    script, text = HERE / f"{name}.py", HERE / f"{name}.txt"
    head = f"{measuring.machine()}\n" if name in WITHOUT_HEAD else ""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        [sys.executable, str(script), *ARGUMENTS.get(name, ())], env=environment, stdout=subprocess.PIPE, text=True
    )
    well = done.returncode == 0
    if well:
        text.write_text(head + done.stdout)
    outcome = f"written to {text.relative_to(HERE.parent)}" if well else f"failed with {done.returncode}"
    print(f"{name:12}{time.perf_counter() - started:7.0f} s  {outcome}", flush=True)
    return well


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = sorted(script.stem for script in HERE.glob("*.py") if script.with_suffix(".txt").exists())
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    given = parser.parse_args().names or SITTING
    if unknown := [name for name in given if not (HERE / f"{name}.py").exists()]:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(names)}")
    measuring.one_core()
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"the machine is not quiet (load {load:.1f}): times will be upper bounds", flush=True)
    failed = [name for name in given if not run(name)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
