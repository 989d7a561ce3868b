"""Many runs as one table: of each condition what every run measured, as lines, as data and as a page.

``side_by_side`` reads the tables of runs of S05, each checked against its record, and gives a ``SideBySide``.
"""

from critnb.review.compare.gather import Compared, SideBySide, side_by_side
from critnb.review.compare.lines import lines
from critnb.review.compare.page import render

__all__ = ["Compared", "SideBySide", "lines", "render", "side_by_side"]
