import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "matplotlib", "datasets", "IPython")


@pytest.mark.parametrize("room", ["critnb.lattice", "critnb.criticality", "critnb.criticality.synthetic"])
def test_a_statistics_room_imports_nothing_heavy(room):
    code = f"import sys, {room}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
