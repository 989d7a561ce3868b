from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from critnb.canon import SpikeDef
from critnb.lattice import RASTER_NULLS
from critnb.report.schema.nulls import null_columns
from critnb.stages.s04_nulls import work as nulls_work
from critnb.stages.s05_analysis import verdict_views, views


def conditions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "spike_def_id": [str(SpikeDef.SPIKE_ONE_SIDED_POS)] * 3,
            "target_rate": [1e-5] * 3,
            "g": [0.9, 1.0, 1.1],
            "opt_is_g1": [False, True, False],
            "opt_is_gstar": [True, False, False],
        }
    )


def tails(reasons: list[str]) -> pd.DataFrame:
    numbers = {
        f"{stem}_{name}": [1.5, 2.5, 3.5]
        for stem in ("opt_ks", "opt_D_ks")
        for name in ("xmin", "alpha", "distance", "p")
    }
    counts = {f"{stem}_n_tail": [100, 200, 300] for stem in ("opt_ks", "opt_D_ks")}
    return pd.DataFrame({**numbers, **counts, "opt_ks_reason": reasons, "opt_D_ks_reason": [""] * 3})


def test_a_table_shows_the_chosen_gains_only():
    shown = views.ks_table(tails([""] * 3), conditions())
    assert shown["gain"].tolist() == [0.9, 1.0]
    assert shown[""].tolist() == ["g*", "g1"]
    assert shown["exponent"].tolist() == ["1.50", "2.50"]


@pytest.mark.parametrize(("reasons", "columns"), [(["", "", "x"], 0), (["", "87 values", ""], 1)])
def test_reasons_stand_in_a_table_only_where_one_is_given(reasons, columns):
    shown = views.ks_table(tails(reasons), conditions())
    assert sum(str(name).startswith("not available") for name in shown.columns) == columns


def test_verdicts_are_a_row_a_criterion_and_a_column_a_condition():
    rows = [
        {"criterion_id": criterion, "spike_def_id": str(spike_def), "target_rate": rate, "verdict": f"{rate:g}"}
        for criterion in ("X1_NULL_EXPLAINS_BRANCHING", "S2_SUSCEPTIBILITY", "S1_BRANCHING")
        for spike_def in SpikeDef
        for rate in (1e-5, 2e-5)
    ]
    falsifiers, descriptions = verdict_views.verdict_matrices(pd.DataFrame(rows)).values()
    heads = ["one-sided, 1e-05", "one-sided, 2e-05", "two-sided, 1e-05", "two-sided, 2e-05"]
    assert list(descriptions.columns) == ["criterion", *heads]
    assert verdict_views.condition_heads(pd.DataFrame(rows)) == heads
    assert descriptions["criterion"].tolist() == ["S1_BRANCHING", "S2_SUSCEPTIBILITY"]
    assert descriptions.iloc[0].tolist() == ["S1_BRANCHING", *["1e-05", "2e-05"] * 2]
    assert falsifiers["criterion"].tolist() == ["X1_NULL_EXPLAINS_BRANCHING"]


def test_what_a_criterion_asks_is_said_once_for_all_conditions():
    ids = ("X1_NULL_EXPLAINS_BRANCHING", "S1_BRANCHING", "S6_KNOCK_OUT")
    nothing = (
        "ci_low",
        "ci_high",
        "null_value",
        "opt_null_ci_low",
        "opt_null_ci_high",
        "opt_p",
        "opt_p_holm",
    )
    same = dict.fromkeys(nothing, np.nan) | {"opt_false_alarm_on": "WINDOW_RATES", "opt_detection_on": "", "g": 1.1}
    rows = [
        {"criterion_id": name, "spike_def_id": str(SpikeDef.SPIKE_ONE_SIDED_POS), "target_rate": rate, "value": rate,
         "statistic": f"number of {name}", "gate": "above zero", "reason": f"{name} at {rate:g}", "verdict": "fail",
         "opt_false_alarm": 0.25, "opt_detection": np.nan, **same}
        for rate in (1e-5, 2e-5)
        for name in ids
    ]  # fmt: skip
    asked, *judged = verdict_views.judgement_tables(pd.DataFrame(rows)).values()
    assert asked["criterion"].tolist() == [ids[1], ids[2], ids[0]]
    assert asked["asked"].tolist() == [f"number of {name}: above zero" for name in asked["criterion"]]
    assert asked["false alarms"].tolist() == ["25% (window rates)"] * 3
    assert "detected" not in asked
    decided = [words for table in judged for words in table["what decided"]]
    assert sorted(decided) == sorted(row["reason"] for row in rows)
    assert all(list(table) == ["verdict", "criterion", "value", "null", "what decided"] for table in judged)


def test_the_kept_raster_of_each_null_is_a_column_of_its_condition_s_row():
    nulls = ["NULL_RASTER_LAYER_ORDER", "NULL_TOKEN_SHUFFLE_INPUT"]
    rows = [
        {"spike_def_id": str(kind), "target_rate": 1e-5, "gain": gain, "null_id": null, "b_tot": gain + place / 10}
        for place, null in enumerate(nulls)
        for kind in SpikeDef
        for gain in (1.0, 0.9)
    ]
    shown = nulls_work.kept_table(SimpleNamespace(metrics=pd.DataFrame(rows)))
    assert list(shown.columns) == ["events", "rate", "gain", "layer order", "token shuffle"]
    assert shown["events"].tolist() == ["one-sided"] * 2 + ["two-sided"] * 2
    assert shown["layer order"].tolist() == shown["gain"].tolist() == [0.9, 1.0] * 2
    np.testing.assert_allclose(shown["token shuffle"], shown["gain"] + 0.1)


def test_a_small_p_is_said_to_be_small():
    given = tails([""] * 3).assign(opt_ks_p=[0.00001, np.nan, 0.5])
    assert views.ks_table(given, conditions())["p"].tolist() == ["< 0.0001", "–"]


def test_what_both_definitions_share_is_told_a_rate_over_its_gains():
    rates = [1e-5, 1e-5, 2e-5, 2e-5]
    shared = {"opt_spike_def_overlap": [0.5, 0.75, 1.0, 1.0], "opt_spike_def_sites_apart": [30.0, 12.0, 0.0, 0.0]}
    shown = views.overlap_table(pd.DataFrame({"target_rate": rates, **shared}))
    assert shown["events shared"].tolist() == ["50.0% to 75.0%", "100.0%"]
    assert shown["sites that differ"].tolist() == ["12 to 30", "0"]
    assert shown[""].tolist() == ["", "the same raster at every gain"]


def test_what_one_definition_shares_is_not_available_with_its_reason():
    absent = dict.fromkeys(("opt_spike_def_overlap", "opt_spike_def_sites_apart"), [np.nan] * 2)
    shown = views.overlap_table(pd.DataFrame({"target_rate": [1e-5, 1e-5], **absent}))
    assert shown["not available"].tolist() == ["only one spike definition was measured"]
    assert shown["events shared"].tolist() == ["–"]


def found_of(n: int, reason: str, missing: list[str]) -> SimpleNamespace:
    """What findings are counted from, for n conditions without the excess over the nulls that are ``missing``."""
    t01 = pd.DataFrame({"b_tot": [0.5] * n, "opt_occupancy": 0.1, "opt_reason_branching": reason})
    for null_id in RASTER_NULLS:
        names = null_columns(null_id)
        values = (
            names.delta,
            names.p,
            f"opt_{names.delta.removeprefix('opt_')}_ci_low",
            f"opt_{names.delta.removeprefix('opt_')}_ci_high",
        )
        t01 = t01.assign(**dict.fromkeys(values, np.nan if null_id in missing else 0.01))
    t08 = pd.DataFrame({"criterion_id": ["S6_KNOCK_OUT", "X1_NULL_EXPLAINS_BRANCHING"], "verdict": "fail"})
    return SimpleNamespace(t01=t01, t08=t08, choices=[{"crosses_one": True, "identified": False}])


def test_a_null_that_cannot_be_drawn_is_no_finding():
    one = "no comparison with the token-identity null: there is one window only"
    said = views.findings(found_of(3, one, ["NULL_RASTER_TOKEN_IDENTITY"]))
    assert "* Against the token-identity null nothing can be compared: there is one window only.\n" in said
    assert "* Against the fixed-margins null, " in said
    assert "nan" not in said


def test_rasters_without_events_are_no_finding():
    found = found_of(2, "there is no event in any window", list(RASTER_NULLS))
    found.t01["b_tot"] = np.nan
    said = views.findings(found)
    assert "b_tot is not available in any: there is no event in any window.\n" in said
    assert "nan" not in said
