"""Two runs of one stage side by side: what went in, the machine, and every number that came out.

``compare`` reads both runs, each artifact checked against its record, and gives a ``Comparison``; ``format_diff`` puts it in lines.
"""

from critnb.review.diff.format_diff import format_diff, to_dict
from critnb.review.diff.runs import Change, Comparison, compare, find_run
from critnb.review.diff.values import Difference, Extreme

__all__ = ["Change", "Comparison", "Difference", "Extreme", "compare", "find_run", "format_diff", "to_dict"]
