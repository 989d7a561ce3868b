"""Stage notebooks that somebody runs by hand: in JupyterLab, with plain papermill, under nbval.

``begin`` makes the run that the runner would have made, and first the upstream runs that it lacks; ``RunByHand.finish``
publishes it with the outputs that the person saw, or, where the run exists already, says whether it came out the same.
"""

from critnb.pipeline.by_hand.run import RunByHand, begin

__all__ = ["RunByHand", "begin"]
