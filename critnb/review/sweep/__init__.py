"""What a sweep found: one long table over its finished runs, a figure of it, and a page.

``write_sweep`` lays them out beside the runs; everything follows from the runs alone, so the same runs give the same bytes.
"""

from critnb.review.sweep.table import SWEEP_TABLE, Swept, sweep_table
from critnb.review.sweep.write import Unfinished, write_sweep

__all__ = ["SWEEP_TABLE", "Swept", "Unfinished", "sweep_table", "write_sweep"]
