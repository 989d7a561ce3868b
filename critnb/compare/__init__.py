"""Two runs of one stage side by side: what went in, the machine, and every number that came out.

``compare`` reads both runs, each artifact checked against its record, and gives a ``Comparison``; ``told`` puts it in lines.
"""

from critnb.compare.runs import Change, Comparison, compare, find_run
from critnb.compare.values import Difference, Extreme
from critnb.compare.words import told

__all__ = ["Change", "Comparison", "Difference", "Extreme", "compare", "find_run", "told"]
