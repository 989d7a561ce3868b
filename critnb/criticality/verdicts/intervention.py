"""Signature S6: what putting events out does to the layers above; the one criterion that no raster alone can meet."""

from __future__ import annotations

import math

from critnb.canon import CANON, Criterion
from critnb.criticality.verdicts import judgement as j
from critnb.criticality.verdicts.criteria import NAN, Assessment, criterion
from critnb.criticality.verdicts.family import NullTest
from critnb.criticality.verdicts.judgement import NO_INTERVAL, Case, Clause

_NOT_RUN = "the knock-outs were not run"


@criterion(
    Criterion.S6_KNOCK_OUT,
    statistic="sigma_depth, pooled over layers",
    gate="interval above zero after what as many random units do was taken off, and adjusted p below "
    f"{CANON.CONST.SIGNIFICANCE_LEVEL:g}",
)
def _knock_out(case: Case) -> Assessment:
    found = case.knock_out
    if found is None:
        return Assessment(NAN, NO_INTERVAL, [Clause(None, _NOT_RUN)])
    clauses = [j.above("sigma_depth", found.ci, (0.0, 0.0), found.reason or "there is no interval of sigma_depth")]
    test = None
    if not math.isnan(found.p):
        # all signs as they are, in one of two to the power of windows
        least, draws = 0.5**found.windows if found.windows else 0.0, f"random signs of {found.windows} windows"
        test = NullTest("sigma_depth", found.p, "windows with signs drawn at random", least, draws)
    return Assessment(found.sigma_depth, found.ci, clauses, 0.0, test=test)
