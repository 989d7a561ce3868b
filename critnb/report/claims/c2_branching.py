"""C2: branching varies with the gain, beyond what the nulls vary."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, GCondition, Intervention
from critnb.report.claims.evidence import Row, Sourced
from critnb.report.claims.gather import RoleEvidence
from critnb.report.claims.verdict import Judged

_LEVEL = CANON.CONST.SIGNIFICANCE_LEVEL
_BASELINE = CANON.CONST.GAIN_BASELINE
_PAIRED = "opt_delta_b_tot_vs_g1"
_PS = ("opt_delta_b_tot_p", "opt_delta_b_tot_shift_p")

STATEMENT = "Branching varies with the gain beyond its nulls."
RULE = (
    "For every spike definition and rate whose g* is not g1: at g*, b_tot exceeds both raster nulls "
    f"(p < {_LEVEL:g} each, T01), and the paired 95 % interval of delta_b_tot(g*) - delta_b_tot(g1) on A_raster leaves out zero "
    "(T06, g* on all MLPs). delta_b_tot has the null of the same counts subtracted, so a change of density alone does not "
    "count. One contrast per condition, fixed before A_raster was looked at; all must hold (an intersection-union test), which "
    "keeps the level without a correction. Where g* is g1 there is no contrast; without any contrast, not available."
)


def judge(evidence: RoleEvidence) -> Judged:
    """Return the verdict on C2 in one role."""
    t01, t06 = evidence.tables[CANON.TABLE.T01_SUMMARY], evidence.tables[CANON.TABLE.T06_ABLATIONS]
    chosen = t06.where(g_condition=GCondition.gstar, intervention_id=Intervention.MLP_GLOBAL)
    contrasts = chosen[chosen["g"] != _BASELINE]
    if contrasts.empty:
        return Judged.missing("g* is g1 in every condition: there is no contrast", t06.rows(chosen, "g"))
    at_gstar = t01.where(opt_is_gstar=True).set_index(["spike_def_id", "target_rate"])
    beyond = {place: _beyond_nulls(at_gstar, row) for place, row in contrasts.iterrows()}
    varies = (contrasts[f"{_PAIRED}_ci_low"] > 0) | (contrasts[f"{_PAIRED}_ci_high"] < 0)
    unknown = contrasts[f"{_PAIRED}_ci_low"].isna() | pd.Series(
        {place: found is None for place, found in beyond.items()}
    )
    both = int((varies & pd.Series({place: bool(found) for place, found in beyond.items()})).sum())
    rows = (*_shown(t06, contrasts), *_nulls(t01))
    if unknown.any():
        return Judged.missing(f"{int(unknown.sum())} of {len(contrasts)} contrasts lack an interval or a null", rows)
    reason = (
        f"{both} of {len(contrasts)} conditions with g* other than g1 change beyond their nulls; in "
        f"{sum(map(bool, beyond.values()))} b_tot(g*) exceeds both nulls, in {int(varies.sum())} the paired interval leaves out "
        f"zero; {len(chosen) - len(contrasts)} have g* = g1 and no contrast"
    )
    return Judged.of(both == len(contrasts), reason, rows)


def _beyond_nulls(at_gstar: pd.DataFrame, row: pd.Series) -> bool | None:
    """Tell whether b_tot(g*) exceeds both nulls; None where a p-value is missing."""
    found = at_gstar.loc[(row["spike_def_id"], row["target_rate"])]
    ps = [found[name] for name in _PS]
    if any(pd.isna(p) for p in ps):
        return None
    return bool(found["delta_b_tot"] > 0 and all(p < _LEVEL for p in ps))


def _shown(t06: Sourced, contrasts: pd.DataFrame) -> tuple[Row, ...]:
    return t06.rows(contrasts, "g", "delta_b_tot", _PAIRED, f"{_PAIRED}_ci_low", f"{_PAIRED}_ci_high")


def _nulls(t01: Sourced) -> tuple[Row, ...]:
    return t01.rows(t01.where(opt_is_gstar=True), "b_tot", "b_tot_perm", "delta_b_tot", *_PS)
