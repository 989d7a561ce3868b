"""Stage notebooks that somebody runs by hand: in JupyterLab, with plain papermill, under nbval.

``begin`` makes the run that the runner would have made, and first the upstream runs that it lacks; ``Hand.finish``
publishes it with the outputs that the person saw, or, where the run exists already, says whether it came out the same.
"""

from critnb.pipeline.by_hand.hand import Hand, begin

__all__ = ["Hand", "begin"]
