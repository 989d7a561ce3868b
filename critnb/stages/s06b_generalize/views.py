"""What S06B's notebook shows of its results: tables in words, the findings, and figure F06."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from critnb.canon import CANON, GCondition
from critnb.criticality.carried import perplexity
from critnb.lattice import PRIMARY
from critnb.pipeline.session import StageSession
from critnb.report.figures.f06_generalization import generalization
from critnb.report.style import Rendered, save_figure
from critnb.report.words import spike_words, with_interval
from critnb.stages.shared.activity_columns import excess_shown, is_above

# the statistics load torch, which tables and figures do without
if TYPE_CHECKING:
    from critnb.stages.s06b_generalize.work import Generalization

_SIGNIFICANT = CANON.CONST.SIGNIFICANCE_LEVEL


def rate_table(t02: pd.DataFrame) -> pd.DataFrame:
    """Return, per spike definition and rate, the mean rates on A_cal and B_eval at g1 and g*, and the occupancy on B_eval."""
    columns: dict[str, Any] = {
        "rate on A_cal": t02["opt_achieved_rate_cal_mean"],
        "rate on B_eval": t02["opt_achieved_rate_mean"],
        "B / target": t02["opt_achieved_rate_mean"] / t02["target_rate"],
        "occupancy": t02["opt_occupancy"].map("{:.1%}".format),
    }
    return _named(t02).assign(**columns)


def branching_table(t02: pd.DataFrame) -> pd.DataFrame:
    """Return branching on B_eval at g1 and g*: each number with its interval, its null and p."""
    columns: dict[str, Any] = {
        "occupancy": t02["opt_occupancy"].map("{:.1%}".format),
        "b_tot": with_interval(t02, "b_tot"),
        "permuted": t02["opt_b_tot_perm"],
        **excess_shown(t02),
        "chi": with_interval(t02, "chi", digits=2),
    }
    return _named(t02).assign(**columns)


def difference_table(t02: pd.DataFrame) -> pd.DataFrame:
    """Return, per spike definition and rate, g* minus g1: the paired differences with their intervals."""
    chosen = t02[t02["g_condition"] == str(GCondition.gstar)]
    columns = {
        words: with_interval(chosen, f"opt_{name}_vs_g1", digits=digits)
        for name, words, digits in (
            ("b_tot", "b_tot", 4),
            ("delta_b_tot", "Δ permutation", 4),
            ("chi", "chi", 2),
            ("nll_mean", "NLL", 4),
            ("ppl", "perplexity", 2),
        )
    }
    named = _named(chosen).drop(columns="").rename(columns={"gain": "g*"})
    return named.assign(**columns, **{"the difference is": chosen["opt_vs_g1"]})


def likelihood_table(found: Generalization) -> pd.DataFrame:
    """Return one row per gain: windows, predicted tokens, mean negative log-likelihood and perplexity with intervals."""
    of_gain = found.t02.drop_duplicates("g").set_index("g")
    rows = []
    for gain, windows in found.likelihoods.groupby("gain"):
        row = of_gain.loc[[gain]]
        rows.append(
            {
                "gain": gain,
                "windows": len(windows),
                "predicted tokens": int(windows["n_tokens"].sum()),
                "NLL": with_interval(row, "nll_mean", digits=4)[0],
                "perplexity": with_interval(row, "ppl", digits=2)[0],
                "lowest of a window": float(perplexity(windows["nll_mean"].min())),
                "highest of a window": float(perplexity(windows["nll_mean"].max())),
            }
        )
    return pd.DataFrame(rows)


def _named(t02: pd.DataFrame) -> pd.DataFrame:
    words = {str(GCondition.g1): str(GCondition.g1), str(GCondition.gstar): "g*"}
    return pd.DataFrame(
        {"events": spike_words(t02), "rate": t02["target_rate"], "": t02["g_condition"].map(words), "gain": t02["g"]},
        index=t02.index,
    )


def findings(t02: pd.DataFrame) -> str:
    """Return, as Markdown, what the numbers say; every sentence is counted from T02."""
    chosen = t02[t02["g_condition"] == str(GCondition.gstar)]
    moved = chosen[chosen["g"] != CANON.CONST.GAIN_BASELINE]
    above = is_above(t02, PRIMARY)
    ratio = t02["opt_achieved_rate_mean"] / t02["target_rate"]
    lines = [
        f"On B_eval the events run at {ratio.min():.2f} to {ratio.max():.2f} times their target rates, at occupancies of "
        f"{t02['opt_occupancy'].min():.1%} to {t02['opt_occupancy'].max():.1%}: thresholds are A's, so rates are not matched here.",
        f"b_tot is above its permutation null in {int(above.sum())} of {len(t02)} rows (interval above zero and one-sided p "
        f"below {_SIGNIFICANT:g}).",
        f"g* differs from 1 for {len(moved)} of {len(chosen)} combinations of spike definition and rate"
        + (f"; of these, {_compared(moved)}." if len(moved) else ", so that there is nothing to compare."),
    ]
    caution = (
        "Where rates on B differ between g1 and g*, so does the occupancy, and b_tot with it: read a difference of b_tot beside "
        "that of Δ, which has the null of its own occupancy taken off."
    )
    return "\n".join([*(f"* {line}" for line in lines), "", caution])


def _compared(moved: pd.DataFrame) -> str:
    parts = []
    for name, words in (("b_tot", "b_tot"), ("delta_b_tot", "Δ"), ("nll_mean", "the negative log-likelihood")):
        higher = int((moved[f"opt_{name}_vs_g1_ci_low"] > 0).sum())
        lower = int((moved[f"opt_{name}_vs_g1_ci_high"] < 0).sum())
        parts.append(f"{words} is higher at g* in {higher} and lower in {lower}")
    return ", ".join(parts) + " (paired interval clear of zero)"


def carried_figure(stage: StageSession, found: Generalization) -> Rendered:
    """Draw and write F06."""
    drawing = generalization(found.t02)
    return save_figure(stage.run, CANON.FIGURE.F06_GENERALIZATION_B, drawing, found.provenance)
