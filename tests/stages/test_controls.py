"""Controls as S00 and S05 use them: judged as S05 judges, the pack's table, the gate, and the columns of T08."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from critnb.canon import ControlId, Criterion
from critnb.criticality import control_rates
from critnb.criticality.control_rates import LatticeShape, rates, stored_counts, tally
from critnb.criticality.synthetic import CONTROLS, NETWORKS, bernoulli, one_condition_raster
from critnb.criticality.verdicts.needs import NOT_OF_A_RASTER
from critnb.gates import Verdict
from critnb.lattice import RASTER_NULLS
from critnb.stages.s00_validate import tables as s00
from critnb.stages.shared.controls import measured, views
from critnb.stages.shared.controls.columns import t08_columns
from critnb.stages.shared.controls.judged import ControlRaster, case_of, judge_control, judge_raster

SHAPE = LatticeShape(layers=8, tokens=64, windows=16)
SIGNATURE, S1, X1 = (
    str(each) for each in (Criterion.S6_KNOCK_OUT, Criterion.S1_BRANCHING, Criterion.X1_NULL_EXPLAINS_BRANCHING)
)
PASS, FAIL, NONE = Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE


def counts(control_id, outcomes, test):
    return tally({control_id: [{test: one} for one in outcomes]}, SHAPE, seed=1)


def in_table(shape_filter):
    table = stored_counts()
    table = table[table["test"] != control_rates.OF_NETWORKS]
    shapes = table[["layers", "tokens", "windows"]].drop_duplicates().to_numpy().tolist()
    return [LatticeShape(*map(int, shape)) for shape in shapes if shape_filter(shape[0] * shape[1] * shape[2])]


def judged_again(shape, replicates=None):
    table = control_rates.stored(shape)
    for control_id in CONTROLS:
        rows = table[table["control_id"] == control_id]
        found = judge_control(ControlRaster(control_id, shape, 0, seed=int(rows["seed"].iloc[0])))
        yield (
            control_id,
            {name: str(verdict) for name, verdict in found.items()},
            dict(zip(rows["test"], rows["first"], strict=True)),
        )


@pytest.mark.slow
@pytest.mark.parametrize("shape", in_table(lambda sites: sites <= 10_000), ids=str)
def test_the_first_rasters_of_the_pack_s_table_are_judged_so_again(shape):
    for control_id, again, first in judged_again(shape):
        assert again == first, f"{control_id}: the judging code has changed; run benchmarks/controls.py again"


def test_the_pack_s_table_holds_every_control_with_counts_that_add_up():
    table = stored_counts()
    assert len(table)
    assert (table["passes"] + table["fails"] + table["not_available"] == table["rasters"]).all()
    lattices = table[table["test"] != control_rates.OF_NETWORKS]
    for _, here in lattices.groupby(["layers", "tokens", "windows"]):
        assert set(here["control_id"]) == set(CONTROLS)
        assert here["rasters"].nunique() == 1


def test_a_raster_is_judged_on_every_criterion_that_it_can_be_asked_for():
    outcomes = judge_raster(
        one_condition_raster(bernoulli(0.2, (8, 4, 24), 1).astype(np.uint16)), seed=1, replicates=19
    )
    drawn = [str(null_id) for null_id, null in RASTER_NULLS.items() if not null.reads_tokens]
    assert list(outcomes) == [str(each) for each in Criterion if each not in NOT_OF_A_RASTER] + drawn


def test_what_a_raster_alone_is_not_asked_for_would_not_be_available():
    """The list says no more than what the criteria themselves say of a raster without grid, tokens, definitions and model."""
    from critnb.criticality.verdicts import judge_all

    raster = one_condition_raster(bernoulli(0.2, (8, 4, 24), 1).astype(np.uint16))
    verdicts = {one.criterion.id: one.verdict for one in judge_all(case_of(raster, seed=1, replicates=19))}
    assert {verdicts[each] for each in NOT_OF_A_RASTER} == {NONE}


def test_an_empty_raster_passes_nothing():
    outcomes = judge_raster(one_condition_raster(np.zeros((4, 3, 12), dtype=np.uint16)), seed=1, replicates=9)
    assert PASS not in outcomes.values()


def test_hot_tokens_exceed_permuted_rows_and_not_fixed_margins():
    first = {name: str(one) for name, one in judge_control(ControlRaster(ControlId.HOT_FIRST_TOKENS, SHAPE, 0)).items()}
    by_short = {null.short: first[str(null_id)] for null_id, null in RASTER_NULLS.items() if str(null_id) in first}
    assert (by_short["perm"], by_short["shift"], by_short["margins"]) == ("pass", "pass", "fail")
    assert first[X1] == "fail"


def test_t08_has_the_worst_rates_of_each_criterion():
    made = pd.concat(
        [
            counts(ControlId.WINDOW_RATES, [PASS, FAIL, FAIL, NONE], X1),
            counts(ControlId.CRITICAL_DRIVE, [PASS, PASS, PASS, FAIL], X1),
        ]
    )
    columns = t08_columns([X1, SIGNATURE, X1], rates(made, SHAPE))
    assert columns["opt_false_alarm"][0] == columns["opt_false_alarm"][2] == 0.25
    assert columns["opt_false_alarm_on"] == [ControlId.WINDOW_RATES, "", ControlId.WINDOW_RATES]
    assert (columns["opt_detection"][0], columns["opt_detection_on"][0]) == (0.75, ControlId.CRITICAL_DRIVE)
    assert columns["opt_control_rasters"][0] == 4
    assert columns["opt_control_lattice"] == ["8 x 64 x 16", "", "8 x 64 x 16"]
    assert np.isnan([columns[name][1] for name in ("opt_false_alarm", "opt_detection", "opt_control_rasters")]).all()


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [(None, NONE), ([FAIL] * 20, PASS), ([PASS] + [FAIL] * 19, PASS), ([PASS] * 10 + [FAIL] * 10, FAIL)],
)
def test_the_gate_judges_signatures_alone(outcomes, verdict):
    made = counts(ControlId.WINDOW_RATES, [PASS] * 20, S1)
    if outcomes is not None:
        made = pd.concat([made, counts(ControlId.SHARED_INPUT_NETWORK, outcomes, SIGNATURE)])
    gate = s00._controls_gate(rates(made, SHAPE))
    assert gate.verdict is verdict
    assert bool(gate.reason) is (verdict is not PASS)


class Stage:
    """What the rates ask of a session."""

    def __init__(self, n, shape=SHAPE):
        windows = SimpleNamespace(seq_len=shape.tokens + 3, burn_in_tokens=3, n_raster=shape.windows)
        self.params = SimpleNamespace(windows=windows, analysis=SimpleNamespace(control_rasters=n))
        self.run = SimpleNamespace(record=SimpleNamespace(model={"n_layers": shape.layers}))
        self.engine = SimpleNamespace(map_in_processes=lambda work, shards, on_done: list(map(work, shards)))
        self.saved = None

    def step(self, _):
        return self

    def progress(self, *_):
        return self

    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None

    def save_parquet(self, _, frame):
        self.saved = frame


def test_a_lattice_of_the_pack_s_table_is_not_measured_again(monkeypatch):
    made = counts(ControlId.WINDOW_RATES, [PASS, FAIL], X1)
    monkeypatch.setattr(control_rates, "stored_counts", lambda: made)
    frame = measured.control_rates(Stage(5))
    assert frame["rasters"].max() == 2


def test_another_lattice_is_measured_and_written_again_from_its_counts(monkeypatch):
    monkeypatch.setattr(control_rates, "stored_counts", lambda: pd.DataFrame(columns=control_rates.COUNTS))
    monkeypatch.setattr(measured, "judge_control", lambda which: {X1: PASS if which.number else FAIL})
    stage = Stage(4)
    frame = measured.control_rates(stage)
    assert (frame.loc[frame["test"] == X1, "rate"] == 0.75).all()
    again = Stage(4)
    run = SimpleNamespace(result=lambda name: name, parquet=lambda _: stage.saved)
    measured.retabulate(again, run)
    pd.testing.assert_frame_equal(again.saved, stage.saved)


def test_nothing_is_measured_where_no_raster_is_asked_for(monkeypatch):
    monkeypatch.setattr(control_rates, "stored_counts", lambda: pd.DataFrame(columns=control_rates.COUNTS))
    frame = measured.control_rates(Stage(0))
    assert frame["rate"].isna().all()
    assert (frame["reason"] != "").all()
    assert views.criteria_table(frame).empty
    assert "no raster was judged" in views.caption(frame, "")


def test_a_rate_is_shown_with_what_is_not_available():
    made = pd.concat(
        [
            counts(ControlId.WINDOW_RATES, [PASS, FAIL, FAIL, NONE], X1),
            counts(ControlId.CRITICAL_DRIVE, [PASS, PASS, PASS, FAIL], S1),
        ]
    )
    table = views.criteria_table(rates(made, SHAPE)).set_index("control")
    assert table.loc["window rates"].tolist() == ["negative", "–", "25% (25%)"]
    assert table.loc["critical, h = 0.01"].tolist() == ["positive", "75%", "–"]


@pytest.mark.parametrize(
    ("control_id", "verdict"), [(id_, PASS if one.positive else FAIL) for id_, one in NETWORKS.items()]
)
def test_s6_tells_a_connected_network_from_one_of_shared_input(control_id, verdict):
    from critnb.stages.shared.controls.networks import ControlNetwork, judge_network

    assert judge_network(ControlNetwork(control_id, 0)) == {SIGNATURE: verdict}


def test_rates_of_networks_stand_beside_those_of_any_lattice(monkeypatch):
    networks = pd.concat(
        [
            counts(ControlId.SHARED_INPUT_NETWORK, [FAIL] * 39 + [PASS], SIGNATURE).assign(layers=5),
            counts(ControlId.CONNECTED_NETWORK, [PASS] * 40, SIGNATURE).assign(layers=5),
        ]
    )
    monkeypatch.setattr(control_rates, "stored_counts", lambda: networks)
    monkeypatch.setattr(measured, "judge_control", lambda _: {X1: PASS})
    stage = Stage(1)
    frame = measured.control_rates(stage)
    columns = t08_columns([SIGNATURE, X1], frame)
    assert columns["opt_false_alarm"] == [1 / 40, 1.0]
    assert columns["opt_false_alarm_on"][0] == ControlId.SHARED_INPUT_NETWORK
    assert columns["opt_control_lattice"] == ["5 x 64 x 16", "8 x 64 x 16"]
    assert s00._controls_gate(frame).verdict is PASS
    again = Stage(1)
    measured.retabulate(again, SimpleNamespace(result=str, parquet=lambda _: stage.saved))
    pd.testing.assert_frame_equal(again.saved, stage.saved)
