"""C3, on provenance: g* follows mechanically from A_cal, and the artifacts carry it over unchanged, with its thresholds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from critnb.canon import CANON, Claim, GCondition, Intervention, Stage
from critnb.paper.claims.evidence import Row, Sourced, plain
from critnb.paper.claims.gather import CONDITION, RoleEvidence, grid_rows, uncovered
from critnb.paper.claims.verdict import ClaimRule, RoleVerdict
from critnb.report.words import agreeing, among, said

_TABLE, _OUT = CANON.TABLE, CANON.OUTPUT
_KEY = ["spike_def_id", "target_rate"]
_BASELINE = CANON.CONST.GAIN_BASELINE
# the tie of criticality.gstar: far above rounding, far below any difference that means something
_TIE = 1e-12

_STATEMENT = "g* follows from A_cal by a fixed rule; artifacts carry it unchanged."
_RULE = (
    f"{_OUT.GSTAR_JSON_BASENAME} names the digests of the metrics and raster of A_cal as their run's record has them; argmin "
    "over the grid of |b_tot - 1|, ties to the gain closest to one and then to the smaller, taken again from those metrics, "
    "gives the same g*; T01, T02, T03, T06 and T08 carry that g* in every row at g*, for every definition and rate; the "
    "thresholds stored with dataset B and with the nulls are complete (every layer of every condition) and equal the ones fitted "
    "on A_cal bit for bit; and A_cal and A_raster share no window. Each part compares stored bytes or numbers, so nothing is "
    "tested statistically. It is a statement on artifacts: which thresholds a pass over the model used is known from the code of "
    "that digest, not from its tables."
)


def _judge(evidence: RoleEvidence) -> RoleVerdict:
    """Return the verdict on C3 in one role: the first part that does not hold decides."""
    choices = evidence.choices.frame
    numbers = {
        "choices": len(choices),
        **{
            name: int(choices[name].sum()) if len(choices) else 0
            for name in ("identified", "at_grid_edge", "crosses_one")
        },
        **_set_sizes(choices),
    }
    if choices.empty:
        return RoleVerdict.of("no g* was chosen", (), numbers, failing=0, missing=1)
    broken = next(_broken(evidence), None)
    rows = evidence.choices.rows(choices, "gstar", "b_tot_at_gstar", "identified", "at_grid_edge")
    reason = broken or (
        f"{_all(len(rows))} from the metrics named and {agreeing(len(rows), 'stands', 'stand')} unchanged in five tables; "
        "thresholds are complete and equal bit for bit; no window is shared"
    )
    return RoleVerdict.of(reason, (*rows, *_digests(evidence)), numbers, failing=broken is not None)


def _set_sizes(choices: pd.DataFrame) -> dict[str, int | None]:
    """Return how many gains there are, and are in the smallest and the largest confidence set; None where nothing is known."""
    sets, gains = (choices.get(name, pd.Series(dtype="object")).map(len) for name in ("confidence_set", "gains"))
    return {"gains": plain(gains.max()), "set_low": plain(sets.min()), "set_high": plain(sets.max())}


def _all(n: int) -> str:
    return f"{among(n, n, 'choice')} {agreeing(n, 'follows', 'follow')}"


def _digests(evidence: RoleEvidence) -> tuple[Row, ...]:
    sources = (evidence.grid, evidence.thresholds[Stage.S02], evidence.thresholds[Stage.S06B])
    return tuple(Row(each.table, each.run_id, each.artifact, each.sha256, {}, {}) for each in sources)


def _broken(evidence: RoleEvidence) -> Iterator[str]:
    """Yield what does not hold, in the order of the rule."""
    yield from _origin(evidence)
    chosen = evidence.choices.frame.set_index(_KEY)["gstar"]
    again = recomputed(evidence.grid)
    if not chosen.sort_index().equals(again.sort_index()):
        yield "the argmin over the grid, taken again, is another gain than g*"
    for name, at_gstar in _carried(evidence):
        found = at_gstar.groupby(_KEY)["g"].agg(["min", "max"])
        if not (
            found["min"].equals(found["max"]) and found["min"].sort_index().equals(chosen.sort_index().rename("min"))
        ):
            yield f"{name} has another g* than {_OUT.GSTAR_JSON_BASENAME}"
    for stage, conditions in _asked(evidence).items():
        if absent := uncovered(evidence, stage, conditions):
            yield f"{said(absent, 'threshold')} {agreeing(absent, 'is', 'are')} absent in {evidence.thresholds[stage].run_id}"
    fitted = evidence.thresholds[Stage.S02]
    for stage in (Stage.S04, Stage.S06B):
        if not same_thresholds(fitted, evidence.thresholds[stage]):
            yield f"thresholds of {evidence.thresholds[stage].run_id} differ from those fitted on A_cal"
    if np.intersect1d(evidence.windows[Stage.S02], evidence.windows[Stage.S03]).size:
        yield "A_cal and A_raster share windows"


def _asked(evidence: RoleEvidence) -> dict[Stage, pd.DataFrame]:
    """Return the conditions that each table of thresholds is to have: the whole grid, or g1 and g* on dataset B."""
    grid = grid_rows(evidence.grid)
    at_gstar = evidence.choices.frame.rename(columns={"gstar": "gain"})[CONDITION]
    return {
        Stage.S02: grid,
        Stage.S04: grid,
        Stage.S06B: pd.concat([at_gstar, at_gstar.assign(gain=_BASELINE)]),
    }


def _origin(evidence: RoleEvidence) -> Iterator[str]:
    run, named = evidence.runs[Stage.S02], evidence.computed_from
    digests = {
        f"{word}_sha256": run.artifacts[run.result(basename)].sha256
        for word, basename in (("metrics", _OUT.METRICS_PARQUET_BASENAME), ("raster", _OUT.RASTER_NPZ_BASENAME))
    }
    if dict(named) != {"run_id": run.run_id, **digests}:
        yield f"{_OUT.GSTAR_JSON_BASENAME} was computed from other files than those of {run.run_id}"


def recomputed(grid: Sourced) -> pd.Series[float]:
    """Return g* by (spike_def_id, target_rate) from the stored metrics of the grid, by the criterion as written."""
    rows = grid_rows(grid)
    distance = (rows["b_tot"] - 1).abs()
    best = distance.groupby([rows[name] for name in _KEY]).transform("min")
    tied = rows[distance <= best + _TIE]
    ordered = tied.assign(away=(tied["gain"] - _BASELINE).abs().round(12)).sort_values(["away", "gain"])
    return ordered.groupby(_KEY)["gain"].first().rename("gstar")


def _carried(evidence: RoleEvidence) -> Iterator[tuple[str, pd.DataFrame]]:
    tables = evidence.tables
    yield _TABLE.T01_SUMMARY, tables[_TABLE.T01_SUMMARY].where(opt_is_gstar=True)
    for name in (_TABLE.T02_GENERALIZATION, _TABLE.T03_ARC, _TABLE.T06_ABLATIONS):
        yield name, tables[name].where(g_condition=GCondition.gstar)
    yield _TABLE.T08_SIGNATURES, tables[_TABLE.T08_SIGNATURES].frame


def same_thresholds(fitted: Sourced, used: Sourced) -> bool:
    """Tell whether every threshold under MLP_GLOBAL that was used is the fitted one, to the last bit."""
    rows = used.where(intervention_id=Intervention.MLP_GLOBAL)
    joined = rows.merge(fitted.frame, on=[*used.key], how="left", suffixes=("", "_fitted"), validate="one_to_one")
    return len(rows) > 0 and joined["tau"].to_numpy().tobytes() == joined["tau_fitted"].to_numpy().tobytes()


CLAIM = ClaimRule(Claim.C3_GSTAR_CARRIED_OVER, _STATEMENT, _RULE, _judge)
