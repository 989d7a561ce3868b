"""Claims on tables whose verdict is known: each rule met, and broken one clause at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from paper.made_study import KEY, evidence_of, make_runs, with_table

from critnb.canon import CANON, Claim, Criterion, GCondition, Intervention, ModelRole, Stage
from critnb.errors import CritnbError, DependencyError, IntegrityError
from critnb.paper.claims import ClaimVerdict, EvaluatedClaim, RoleVerdict, Sourced, evaluate, gather, verdict_table
from critnb.paper.claims.c3_carried import recomputed
from critnb.paper.replication import replicate
from critnb.report.provenance import Provenance
from critnb.runs import RunStore

TABLE = CANON.TABLE
SUPPORTED, NOT_SUPPORTED, NOT_AVAILABLE = ClaimVerdict


def judged(evidence, claim: Claim) -> RoleVerdict:
    (found,) = [each for each in evaluate([evidence]) if each.id is claim]
    return found.by_role[evidence.role]


def edited(column, value, where=lambda frame: frame.index[:1]):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[where(frame), column] = value
        return frame

    return change


@pytest.mark.parametrize("claim", Claim)
def test_a_study_that_meets_every_rule_supports_every_claim_and_shows_rows(base, claim):
    found = judged(base, claim)
    assert found.verdict is SUPPORTED, found.reason
    for row in found.rows:
        run = next(run for run in base.runs.values() if run.run_id == row.run_id)
        assert run.artifacts[row.artifact].sha256 == row.sha256


def with_thresholds(evidence, stage, change):
    table = evidence.thresholds[stage]
    changed = {**evidence.thresholds, stage: replace(table, frame=change(table.frame.copy()))}
    return replace(evidence, thresholds=changed)


def c1_of(evidence, *changes):
    for change in changes:
        evidence = with_thresholds(evidence, Stage.S04, change)
    return judged(evidence, Claim.C1_RATES_MATCH)


def test_c1_one_threshold_beyond_the_gate_decides_and_is_the_row_shown(base):
    # the gate is max(1, 4000 / 1000) = 4
    found = c1_of(base, edited("events", 3995, lambda _: [37]))
    assert found.verdict is NOT_SUPPORTED
    assert found.rows[0].values["events"] == 3995
    assert c1_of(base, edited("events", 3996, lambda _: [37])).verdict is SUPPORTED


def test_c1_held_out_rates_are_said_and_do_not_decide(base):
    drifted = edited("achieved_rate_raster", 5e-5, lambda f: [0])  # the first layer's target is 0.7e-5
    found = c1_of(base, drifted)
    assert found.verdict is SUPPORTED
    assert found.numbers["held_out_low"] == pytest.approx(1.07)
    assert found.numbers["held_out_high"] == pytest.approx(5 / 0.7)
    assert "7.14 times their targets" in found.reason


def test_c1_misses_that_are_all_ties_pass_and_are_counted(base):
    # 3900 of 4000 lie above; the value at the cut occurs 200 times, so it is the exact threshold
    found = c1_of(base, edited("events", 3900, lambda _: [37, 41]), edited("ties", 200, lambda _: [37, 41]))
    assert found.verdict is SUPPORTED
    assert "two lie beyond its tolerance by ties alone, by at most 100 events (of 4000)" in found.reason
    assert (found.numbers["missed_by_ties"], found.numbers["largest_miss_by_ties"]) == (2, 100)
    assert found.rows[0].values["ties"] == 200
    broken = c1_of(base, edited("events", 3900, lambda _: [37, 41]), edited("ties", 200, lambda _: [37]))
    assert broken.verdict is NOT_SUPPORTED
    assert "one of 352 thresholds misses the gate" in broken.reason
    assert broken.rows[0].values["ties"] == 1
    assert c1_of(base).numbers["largest_miss_by_ties"] is None


def test_c1_speaks_of_mlp_global_and_reports_the_others(base):
    def with_attention(ties):
        def change(frame: pd.DataFrame) -> pd.DataFrame:
            other = frame[frame["gain"] == 1.1].assign(
                intervention_id=str(Intervention.ATTN_GLOBAL), events=3900, ties=ties, achieved_rate_raster=9.0
            )
            return pd.concat([frame, other], ignore_index=True)

        return change

    alone = c1_of(base)
    both = ((200, 32, "32 lie beyond its tolerance by ties alone"), (1, 0, "32 miss the gate"))
    for ties, tied, beyond in both:
        found = c1_of(base, with_attention(ties))
        assert found.verdict is SUPPORTED
        assert found.reason == f"{alone.reason}; of 32 thresholds of other interventions, {beyond}"
        assert found.numbers == {**alone.numbers, "missed_by_ties_elsewhere": tied}


def first_condition(frame: pd.DataFrame) -> pd.Index:
    return frame.index[(frame["gain"] == 1.1) & (frame["target_rate"] == 1e-5) & (frame.index < frame.index.max() / 2)]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ([edited("events_raster", 0, lambda f: f.index)], NOT_SUPPORTED),  # no event at all on A_raster
        ([edited("events_raster", 0, first_condition)], NOT_SUPPORTED),  # none in one condition
        ([edited("events_raster", 0, lambda f: first_condition(f)[1:])], SUPPORTED),  # one layer of it still has some
        ([edited("events", np.nan)], NOT_AVAILABLE),
        ([edited("achieved_rate_raster", np.nan)], NOT_AVAILABLE),
        ([edited("events", np.nan), edited("events", 0, lambda _: [37])], NOT_SUPPORTED),  # what fails goes before
        ([lambda f: f[:1]], NOT_AVAILABLE),  # the rest cannot be known
        ([lambda f: f[:0]], NOT_AVAILABLE),
        ([lambda f: f.drop(index=40)], NOT_AVAILABLE),
    ],
)
def test_c1_without_events_or_numbers_is_not_supported_or_not_available(base, changes, verdict):
    assert c1_of(base, *changes).verdict is verdict


def x1_at_another_gain(frame: pd.DataFrame) -> pd.Index:
    return frame.index[(frame["criterion_id"] == Criterion.X1_NULL_EXPLAINS_BRANCHING) & (frame["g"] != 1)][:1]


@pytest.mark.parametrize(
    ("table", "column", "value", "verdict"),
    [
        (TABLE.T06_ABLATIONS, "opt_delta_b_tot_vs_g1_ci_low", -1e-6, NOT_SUPPORTED),
        (TABLE.T06_ABLATIONS, "opt_delta_b_tot_vs_g1_ci_low", np.nan, NOT_AVAILABLE),
        (TABLE.T08_SIGNATURES, "verdict", "fail", NOT_SUPPORTED),
        (TABLE.T08_SIGNATURES, "verdict", "not available", NOT_AVAILABLE),
    ],
)
def test_c2_one_condition_that_lacks_a_clause_decides(base, table, column, value, verdict):
    where = x1_at_another_gain if table == TABLE.T08_SIGNATURES else lambda frame: at_gstar_alone(frame)[:1]
    assert judged(with_table(base, table, edited(column, value, where)), Claim.C2_BRANCHING_VARIES).verdict is verdict


def test_c2_asks_the_verdict_with_the_adjusted_p_and_shows_it(base):
    """X1 where g* is g1 is no part of a contrast; a null that cannot be drawn says why."""
    at_g1 = edited(
        "verdict",
        "fail",
        lambda f: f.index[(f["criterion_id"] == Criterion.X1_NULL_EXPLAINS_BRANCHING) & (f["g"] == 1)],
    )
    found = judged(with_table(base, TABLE.T08_SIGNATURES, at_g1), Claim.C2_BRANCHING_VARIES)
    assert found.verdict is SUPPORTED
    assert {row.values["opt_p_holm"] for row in found.rows if row.table == TABLE.T08_SIGNATURES} == {4e-3}

    def undrawn(frame: pd.DataFrame) -> pd.DataFrame:
        place = x1_at_another_gain(frame)
        return frame.assign(**{
            name: frame[name].mask(frame.index.isin(place), value)
            for name, value in (("verdict", "not available"), ("reason", "every token occurs once"))
        })  # fmt: skip

    lacking = judged(with_table(base, TABLE.T08_SIGNATURES, undrawn), Claim.C2_BRANCHING_VARIES)
    assert "one lacks an interval or a null: every token occurs once" in lacking.reason


def test_c2_where_g_star_is_g1_there_is_no_contrast(base):
    six = judged(base, Claim.C2_BRANCHING_VARIES)
    assert (
        "all six conditions whose g* is not g1 change beyond their nulls" in six.reason
    )  # g* is 1 in two of the eight
    assert "in two g* is g1, which leaves nothing to compare" in six.reason
    assert six.numbers["contrasts"] == six.numbers["hold"] == 6
    none = judged(with_table(base, TABLE.T06_ABLATIONS, lambda frame: frame.assign(g=1.0)), Claim.C2_BRANCHING_VARIES)
    assert none.verdict is NOT_AVAILABLE


def at_gstar_alone(frame: pd.DataFrame) -> pd.Index:
    chosen = (frame["g_condition"] == GCondition.gstar) & (frame["intervention_id"] == Intervention.MLP_GLOBAL)
    return frame.index[chosen & (frame["g"] != 1)]


def c2_of(evidence, **intervals):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for place, (low, high) in zip(at_gstar_alone(frame), intervals["ends"], strict=False):
            middle = (low + high) / 2
            frame.loc[place, [f"opt_delta_b_tot_vs_g1{end}" for end in ("_ci_low", "", "_ci_high")]] = low, middle, high
        return frame

    return judged(with_table(evidence, TABLE.T06_ABLATIONS, change), Claim.C2_BRANCHING_VARIES)


def test_c2_a_condition_that_fails_decides_before_one_that_lacks_a_number(base):
    found = c2_of(base, ends=[(np.nan, 1.0), *[(-1.0, 1.0)] * 5])
    assert found.verdict is NOT_SUPPORTED
    assert found.numbers["hold"] == 0
    assert (
        "none of the six conditions whose g* is not g1 changes beyond its nulls; one lacks an interval" in found.reason
    )


def test_c2_counts_directions_with_the_gain(base):
    frame = base.tables[TABLE.T06_ABLATIONS].frame
    gains = frame.loc[at_gstar_alone(frame), "g"]
    rises = [(0.1, 0.2) if g > 1 else (-0.2, -0.1) for g in gains]
    found = c2_of(base, ends=rises)
    assert (found.verdict, found.numbers["rise"], found.numbers["fall"]) == (SUPPORTED, 6, 0)
    one_other = c2_of(base, ends=[(-high, -low) if i == 0 else (low, high) for i, (low, high) in enumerate(rises)])
    assert (one_other.numbers["rise"], one_other.numbers["fall"]) == (5, 1)
    assert "rises in five and falls in one" in one_other.reason


def test_c2_shows_how_the_occupancy_changes(base):
    found = judged(base, Claim.C2_BRANCHING_VARIES)
    # the made occupancy is 0.05 + g / 100, and g* goes from 0.85 to 1.1
    assert found.numbers["occupancy_low"] == pytest.approx(-0.0015)
    assert found.numbers["occupancy_high"] == pytest.approx(0.001)
    at_g1 = [row.values["opt_occupancy"] for row in found.rows if row.key.get("g_condition") == GCondition.g1]
    assert at_g1 == pytest.approx([0.06] * 8)


def test_c2_says_where_branching_is_near_one_at_g1_already(base):
    def near(frame: pd.DataFrame) -> pd.DataFrame:
        at_g1 = frame.index[frame["opt_is_g1"]]
        frame.loc[at_g1, "b_tot"] = 0.5
        frame.loc[at_g1[:3], "b_tot"] = [0.96, 1.04, 1.06]
        return frame

    found = judged(with_table(base, TABLE.T01_SUMMARY, near), Claim.C2_BRANCHING_VARIES)
    assert found.numbers["near_one_at_g1"] == 2


def a_grid(gains: list[float], b_tot: list[float]) -> Sourced:
    frame = pd.DataFrame(
        {"gain": gains, "b_tot": b_tot, "spike_def_id": "x", "target_rate": 1e-5,
         "intervention_id": str(Intervention.MLP_GLOBAL), "null_id": "NULL_NONE"}
    )  # fmt: skip
    return Sourced("grid", frame, ("gain",), "", "", "")


@pytest.mark.parametrize(
    ("gains", "b_tot", "gstar"),
    [
        ([0.8, 1.0, 1.3], [0.9, 0.95, 1.04], 1.3),
        ([0.8, 1.0, 1.2], [1.1, 0.8, 0.9], 0.8),  # a tie, both as far from one: the smaller
        ([0.7, 1.0, 1.1], [1.1, 0.8, 0.9], 1.1),  # a tie: the closer to one
        ([0.9, 1.0, 1.1], [0.9, 0.9, 0.9], 1.0),
    ],
)
def test_c3_the_argmin_and_its_ties_by_hand(gains, b_tot, gstar):
    assert recomputed(a_grid(gains, b_tot)).tolist() == [gstar]


def _other_grid(evidence):
    frame = evidence.grid.frame.copy()
    frame.loc[(frame["gain"] == 1.3) & (frame["target_rate"] == 1e-5), "b_tot"] = 1.0
    return replace(evidence, grid=replace(evidence.grid, frame=frame))


def _one_ulp(stage):
    def change(evidence):
        frame = evidence.thresholds[stage].frame.copy()
        frame.loc[11, "tau"] = np.nextafter(frame.loc[11, "tau"], np.inf)
        return replace(
            evidence, thresholds={**evidence.thresholds, stage: replace(evidence.thresholds[stage], frame=frame)}
        )

    return change


def _other_g(table):
    return lambda evidence: with_table(
        evidence, table, edited("g", 0.95, lambda frame: frame.index[frame["g"] != 1][-1:])
    )


def _fewer(stage):
    """One layer of g* less."""
    return lambda e: with_thresholds(e, stage, lambda f: f.drop(index=first_condition(f)[-1]))


def _no_tau(evidence):
    """NaN in the fit and where it was used: equal bit for bit, and no threshold."""
    for stage in evidence.thresholds:
        evidence = with_thresholds(evidence, stage, edited("tau", np.nan, lambda f: first_condition(f)[:1]))
    return evidence


def _no_rows_of_a_rate(table):
    return lambda e: with_table(e, table, lambda f: f[f["target_rate"] > 1e-5])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda e: replace(e, computed_from={**e.computed_from, "metrics_sha256": "0" * 64}), "computed from other files"),
        (lambda e: replace(e, computed_from={**e.computed_from, "run_id": "RUN_S02_000000000000"}), "computed from other"),
        (_other_grid, "argmin over the grid"),
        (_other_g(TABLE.T02_GENERALIZATION), TABLE.T02_GENERALIZATION),
        (_other_g(TABLE.T03_ARC), TABLE.T03_ARC),
        (_other_g(TABLE.T06_ABLATIONS), TABLE.T06_ABLATIONS),
        (_other_g(TABLE.T08_SIGNATURES), TABLE.T08_SIGNATURES),
        (lambda e: with_table(e, TABLE.T01_SUMMARY, lambda f: f.assign(opt_is_gstar=f["g"] == 1.3)), TABLE.T01_SUMMARY),
        (_one_ulp(Stage.S06B), "differ from those fitted"),
        (_one_ulp(Stage.S04), "differ from those fitted"),
        *((_fewer(stage), "one threshold is absent") for stage in (Stage.S02, Stage.S04, Stage.S06B)),
        (_no_tau, "threshold is absent"),
        *((_no_rows_of_a_rate(table), table) for table in (TABLE.T02_GENERALIZATION, TABLE.T03_ARC, TABLE.T08_SIGNATURES)),
        (lambda e: replace(e, windows={**e.windows, Stage.S03: np.array([0, 1], np.int32)}), "share windows"),
    ],
)  # fmt: skip
def test_c3_each_part_that_does_not_hold_decides_and_is_named(base, harm, words):
    found = judged(harm(base), Claim.C3_GSTAR_CARRIED_OVER)
    assert found.verdict is NOT_SUPPORTED
    assert words in found.reason


def _verdict(criterion, value, n=1):
    return lambda e: with_table(
        e,
        TABLE.T08_SIGNATURES,
        edited("verdict", value, lambda frame: frame.index[frame["criterion_id"] == criterion][:n]),
    )


@pytest.mark.parametrize(
    ("harm", "verdict"),
    [
        (_verdict(Criterion.X5_DEPENDS_ON_SPIKE_DEF, "fail"), NOT_SUPPORTED),
        (_verdict(Criterion.X1_NULL_EXPLAINS_BRANCHING, "fail"), NOT_SUPPORTED),
        (_verdict(Criterion.X1_NULL_EXPLAINS_BRANCHING, "fail", 8), SUPPORTED),  # alike under both definitions
        (_verdict(Criterion.X1_NULL_EXPLAINS_BRANCHING, "not available"), NOT_AVAILABLE),
        (_verdict(Criterion.X5_DEPENDS_ON_SPIKE_DEF, "not available"), NOT_AVAILABLE),
        (_verdict(Criterion.S1_BRANCHING, "fail", 8), SUPPORTED),
        (lambda e: with_table(e, TABLE.T08_SIGNATURES, lambda f: f[f["spike_def_id"] == f["spike_def_id"].iloc[0]]),
         NOT_AVAILABLE),
    ],
)  # fmt: skip
def test_c4_verdicts_of_t08_decide(base, harm, verdict):
    assert judged(harm(base), Claim.C4_ROBUST_TO_SPIKE_DEF).verdict is verdict


def _identified(*flags: bool):
    """Whether g* is identified, from the first choice on."""

    def change(evidence):
        frame = evidence.choices.frame.copy()
        frame.loc[frame.index[: len(flags)], "identified"] = flags
        return replace(evidence, choices=replace(evidence.choices, frame=frame))

    return change


def test_c4_where_g_star_is_not_identified_its_distance_says_nothing(base):
    apart = _verdict(Criterion.X5_DEPENDS_ON_SPIKE_DEF, "fail", 8)(base)
    assert judged(apart, Claim.C4_ROBUST_TO_SPIKE_DEF).numbers["disagree"] == 4
    found = judged(_identified(*[False] * 4)(apart), Claim.C4_ROBUST_TO_SPIKE_DEF)
    assert found.verdict is NOT_AVAILABLE
    assert [found.numbers[name] for name in ("rates", "agree", "disagree", "unknown", "same")] == [4, 0, 0, 4, 0]


def test_c4_one_definition_without_an_identified_g_star_suffices(base):
    found = judged(_identified(False)(base), Claim.C4_ROBUST_TO_SPIKE_DEF)
    assert found.verdict is NOT_AVAILABLE
    assert found.reason.startswith("g* and the nulls' verdict agree at three of four rates")
    unlike = _verdict(Criterion.X1_NULL_EXPLAINS_BRANCHING, "fail")(_identified(False)(base))
    assert judged(unlike, Claim.C4_ROBUST_TO_SPIKE_DEF).verdict is NOT_SUPPORTED


def _same_events(*rates: float):
    """Both definitions with the same counts at every gain of these rates; all of them where none is named."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        chosen = frame["target_rate"].isin(rates or frame["target_rate"])
        return frame.assign(
            opt_spike_def_sites_apart=frame["opt_spike_def_sites_apart"].mask(chosen, 0.0),
            opt_spike_def_overlap=frame["opt_spike_def_overlap"].mask(chosen, 1.0),
        )

    return lambda evidence: with_table(evidence, TABLE.T01_SUMMARY, change)


def test_c4_where_both_definitions_are_one_raster_at_every_rate_there_is_nothing_to_compare(base):
    found = judged(_same_events()(base), Claim.C4_ROBUST_TO_SPIKE_DEF)
    assert found.verdict is NOT_AVAILABLE
    assert found.reason.startswith("both definitions give the same events at every rate and gain")
    assert (found.numbers["same"], found.numbers["overlap_low"]) == (4, 1.0)


def test_c4_a_rate_with_the_same_events_is_left_out_and_the_others_decide(base):
    # draws of the nulls differ between the definitions, so one raster can have two verdicts
    harmed = _verdict(Criterion.X1_NULL_EXPLAINS_BRANCHING, "fail")(base)
    assert judged(harmed, Claim.C4_ROBUST_TO_SPIKE_DEF).verdict is NOT_SUPPORTED
    found = judged(_same_events(1e-5)(harmed), Claim.C4_ROBUST_TO_SPIKE_DEF)
    assert found.verdict is SUPPORTED
    assert found.reason == (
        "g* and the nulls' verdict agree at three of four rates; at one both definitions give the same events, "
        "so there is nothing to compare; their events differ at 0 to 1300 sites of a condition"
    )


def test_c4_tells_how_many_sites_differ(base):
    assert judged(base, Claim.C4_ROBUST_TO_SPIKE_DEF).reason.endswith(
        "their events differ at 700 to 1300 sites of a condition"
    )
    alike = with_table(base, TABLE.T01_SUMMARY, lambda f: f.assign(opt_spike_def_sites_apart=3.0))
    assert judged(alike, Claim.C4_ROBUST_TO_SPIKE_DEF).reason.endswith("their events differ at 3 sites of a condition")


def _s6(value, n=1):
    return _verdict(Criterion.S6_KNOCK_OUT, value, n)


@pytest.mark.parametrize(
    ("harm", "verdict", "said"),
    [
        (lambda e: e, SUPPORTED,
         "with them, beyond the control (sigma_depth 0.560"),
        (_s6("fail"), NOT_SUPPORTED, "in seven of eight conditions it is shown"),
        (_s6("not available"), NOT_AVAILABLE, "in one it is not available: 0.501 is above 0.4"),
        (lambda e: _s6("fail")(_s6("not available", 2)(e)), NOT_SUPPORTED, "; in one it is not; in one it is not available"),
        (_verdict(Criterion.S1_BRANCHING, "fail", 8), SUPPORTED, "in all eight conditions it is shown"),
        (lambda e: with_table(e, TABLE.T08_SIGNATURES, lambda f: f[f["criterion_id"] != Criterion.S6_KNOCK_OUT]), NOT_AVAILABLE,
         "no knock-out is in T08"),
    ],
)  # fmt: skip
def test_c5_rests_on_s6_of_every_condition_and_on_nothing_else(base, harm, verdict, said):
    found = judged(harm(base), Claim.C5_PROPAGATION)
    assert found.verdict is verdict
    assert said in found.reason
    assert {row.table for row in found.rows} <= {TABLE.T08_SIGNATURES, TABLE.T10_KNOCKOUTS}


def test_c4_one_definition_is_named_as_the_reason(base):
    kind = base.choices.frame["spike_def_id"].iloc[0]
    one = with_table(base, TABLE.T08_SIGNATURES, lambda f: f[f["spike_def_id"] == kind])
    found = judged(one, Claim.C4_ROBUST_TO_SPIKE_DEF)
    assert (found.verdict, found.reason) == (NOT_AVAILABLE, "only one-sided events were measured")


def test_c2_without_a_gain_to_compare_with_says_so(base):
    none = judged(with_table(base, TABLE.T06_ABLATIONS, lambda frame: frame.assign(g=1.0)), Claim.C2_BRANCHING_VARIES)
    assert none.reason == ("g* is g1 in all eight conditions, so there is no gain to compare with the unchanged model")


@pytest.mark.parametrize("claim", Claim)
def test_numbers_have_the_same_names_whatever_the_verdict(base, claim):
    empty = {name: replace(table, frame=table.frame[:0]) for name, table in base.tables.items()}
    nothing = replace(
        base,
        tables=empty,
        choices=replace(base.choices, frame=base.choices.frame[:0]),
        thresholds={stage: replace(each, frame=each.frame[:0]) for stage, each in base.thresholds.items()},
    )
    found = judged(nothing, claim)
    assert found.verdict is NOT_AVAILABLE
    assert set(found.numbers) == set(judged(base, claim).numbers)


@pytest.mark.parametrize(
    ("roles", "over_all"),
    [
        ([SUPPORTED], SUPPORTED),
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, NOT_SUPPORTED], NOT_SUPPORTED),
        ([NOT_AVAILABLE, NOT_SUPPORTED], NOT_SUPPORTED),
        ([SUPPORTED, NOT_AVAILABLE], NOT_AVAILABLE),
    ],
)
def test_over_all_roles_the_weakest_decides(roles, over_all):
    by_role = {role: RoleVerdict(verdict, "") for role, verdict in zip(ModelRole, roles, strict=False)}
    assert EvaluatedClaim(Claim.C1_RATES_MATCH, "", "", by_role).verdict is over_all


def test_a_reader_sees_every_claim_in_every_role(base, instruct):
    table = verdict_table(evaluate([base, instruct]))
    assert table[["claim", "role"]].drop_duplicates().shape[0] == len(Claim) * 2


PROVENANCE = Provenance(
    run_id="RUN_S07_0123456789ab", stage_id=Stage.S07, model_id="a + b", config_hash="0", code_version="0.1.0"
)


def test_t07_puts_the_numbers_of_t01_at_each_g_star_beside_each_other(base, instruct):
    table = replicate({each.role: each for each in (base, instruct)}, PROVENANCE).table
    assert table is not None
    for who, evidence in (("base", base), ("instruct", instruct)):
        t01 = evidence.tables[TABLE.T01_SUMMARY].where(opt_is_gstar=True).sort_values(KEY)
        shown = table.sort_values(KEY)
        assert shown[f"delta_b_tot_at_gstar_{who}"].tolist() == t01["delta_b_tot"].tolist()
        assert shown[f"opt_chi_at_gstar_{who}_ci_high"].tolist() == t01["opt_chi_ci_high"].tolist()
        assert shown[f"gstar_{who}"].tolist() == t01["g"].tolist()
        assert set(shown[f"run_id_s05_{who}"]) == {"-"}  # what the made tables say of their run


def test_t07_is_not_available_with_one_role_or_other_windows_or_rates(base, instruct, tmp_path):
    assert "only BASE has run" in replicate({ModelRole.BASE: base}, PROVENANCE).reason
    other = evidence_of(RunStore(tmp_path / "runs"), ModelRole.INSTRUCT, windows="b" * 64)
    unpaired = replicate({ModelRole.BASE: base, ModelRole.INSTRUCT: other}, PROVENANCE)
    assert unpaired.table is None
    assert "different windows" in unpaired.reason
    fewer = with_table(instruct, TABLE.T01_SUMMARY, lambda frame: frame[frame["target_rate"] > 1e-5])
    assert "different rates" in replicate({ModelRole.BASE: base, ModelRole.INSTRUCT: fewer}, PROVENANCE).reason


def test_runs_of_two_chains_are_no_evidence(tmp_path):
    store = RunStore(tmp_path / "runs")
    ends = make_runs(store, ModelRole.BASE)
    mixed = {**ends, Stage.S06ARC: make_runs(store, ModelRole.INSTRUCT)[Stage.S06ARC]}
    with pytest.raises(DependencyError, match="both upstream of this paper"):
        gather(ModelRole.BASE, mixed, store)


@pytest.mark.parametrize(
    ("basename", "error"),
    [(CANON.OUTPUT.GSTAR_JSON_BASENAME, IntegrityError), (CANON.OUTPUT.RUN_RECORD_JSON, CritnbError)],
)
def test_a_changed_file_is_refused(tmp_path, basename, error):
    store = RunStore(tmp_path / "runs")
    ends = make_runs(store, ModelRole.BASE)
    (selected,) = store.runs(Stage.S02B)
    path = next(selected.path.rglob(basename))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2", 1).replace(b'"runner.py"', b'"runner.pY"', 1) + b" ")
    with pytest.raises(error):
        gather(ModelRole.BASE, ends, store)
