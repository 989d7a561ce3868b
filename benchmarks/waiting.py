"""What a forward pass takes alone and beside other work, by how its threads wait for each other.

    python benchmarks/waiting.py > benchmarks/waiting.txt

The same pass of the embedded model, over and over, by one thread and by two, which sleep or spin while they wait (OMP_WAIT_POLICY);
alone, and beside as many busy processes as there are processors. Shown: median and range of the passes' seconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

PASSES = 7


def measure() -> None:
    import torch
    from extraction import Work, embedded, tapped

    work = Work(tapped(embedded(), torch.device("cpu"), torch.float32), 32, 4096)
    spent, before = [], time.process_time()
    for _ in range(PASSES):
        started = time.perf_counter()
        work.bare()
        spent.append(time.perf_counter() - started)
    used = (time.process_time() - before) / sum(spent)
    print(
        f"{statistics.median(spent):6.2f} s ({min(spent):.2f}-{max(spent):.2f}), {used:.2f} processors in use",
        flush=True,
    )


def main() -> None:
    if "--measure" in sys.argv:
        measure()
        return
    given = dict(os.environ)
    # it asks for one thread, which the processes measured must not inherit
    import measuring

    print(measuring.machine("torch", threads="threads as said"), flush=True)
    ways = {"one thread": ("1", "passive"), "two that sleep": ("2", "passive"), "two that spin": ("2", "active")}
    for beside in (0, os.cpu_count() or 1):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(beside)]
        try:
            for way, (threads, policy) in ways.items():
                print(f"beside {beside} busy processes, {way:<15}", end=" ", flush=True)
                variables = {**given, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": policy}
                subprocess.run(
                    [sys.executable, __file__, "--measure"], env=variables, check=True, stderr=subprocess.DEVNULL
                )
        finally:
            for each in busy:
                each.kill()
                each.wait()


if __name__ == "__main__":
    main()
