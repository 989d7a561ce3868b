"""The state without any widget: what can be chosen, what follows from it, and where its numbers come from."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from explore import chains

from critnb.canon import CANON, Intervention, NullId, SpikeDef, Stage
from critnb.criticality import branching_sums
from critnb.errors import CritnbError, DataError, DependencyError, IntegrityError
from critnb.explore.chain import chain_of, find_chains
from critnb.explore.curves import branching_curves, size_curves
from critnb.explore.inputs import WindowTexts
from critnb.explore.state import ExplorerState
from critnb.lattice import PRIMARY, RASTER_NULLS

ONE, TWO = SpikeDef
SHUFFLE = NullId.NULL_TOKEN_SHUFFLE_INPUT


def state_of(store) -> ExplorerState:
    return ExplorerState(find_chains(store.root)[0], lambda _: WindowTexts(reason="made of numbers"))


def test_any_run_of_a_chain_finds_all_of_it(whole_chain):
    found = find_chains(whole_chain.root)
    (chain,) = found
    assert set(chain.runs) == {Stage.S03, Stage.S04, Stage.S05}
    assert all(chain_of(found, run_id) is chain for run_id in (None, *whole_chain.ids()))
    assert chain.end.stage is Stage.S05


def test_a_folder_without_rasters_says_what_to_do(tmp_path):
    with pytest.raises(DependencyError, match=rf"{tmp_path} holds no complete run of S03.*runner\.py phase5"):
        find_chains(tmp_path)


def test_the_first_view_is_the_median_window_at_gain_one(whole_chain, raster):
    selection = state_of(whole_chain).selection
    assert selection.condition == chains.condition(ONE, max(chains.RATES), 1.0)
    events = raster.counts[raster.conditions.index(selection.condition)].sum(axis=(1, 2))
    assert sorted(events)[(len(events) - 1) // 2] == events[selection.row]


def test_a_choice_shows_the_stored_counts_and_tells_once(whole_chain, raster):
    state, told = state_of(whole_chain), []
    state.observe(lambda: told.append(state.selection))
    for i, condition in enumerate(raster.conditions):
        state.choose(
            spike_def=condition.spike_def_id, target_rate=condition.target_rate, intervention=condition.intervention_id,
            gain=condition.gain, row=i % chains.SHAPE[0],
        )  # fmt: skip
        np.testing.assert_array_equal(state.window.counts, raster.counts[i, i % chains.SHAPE[0]])
        assert told[-1].condition == condition
    assert len(told) == len(raster.conditions)
    state.choose(row=state.selection.row)
    assert len(told) == len(raster.conditions)


def test_a_gain_that_is_not_there_gives_way_to_the_nearest(whole_chain):
    state = state_of(whole_chain)
    state.choose(gain=0.8)
    state.choose(intervention=Intervention.ATTN_GLOBAL)
    assert (state.gains, state.selection.condition.gain) == ([chains.GSTAR], chains.GSTAR)
    state.choose(intervention=Intervention.MLP_GLOBAL)
    assert state.gains == list(chains.GAINS)
    assert state.gstar() == chains.GSTAR


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"target_rate": 0.5}, "no condition with target_rate 0.5; there is 0.001, 0.002"),
        ({"row": 6}, "no window in place 6; the raster holds 6"),
        ({"picked": 1000}, "no avalanche 1000"),
        ({"intervention": Intervention.MLP_BAND_EARLY}, "no condition with intervention"),
    ],
)
def test_what_is_not_there_is_refused_and_changes_nothing(whole_chain, wanted, says):
    state = state_of(whole_chain)
    before = state.selection
    with pytest.raises(DataError, match=says):
        state.choose(**wanted)
    assert state.selection == before


def test_a_picked_avalanche_is_let_go_with_its_window(whole_chain):
    state = state_of(whole_chain)
    state.choose(picked=0)
    state.choose(null_id=SHUFFLE)
    assert state.selection.picked == 0
    state.choose(row=(state.selection.row + 1) % state.n_windows)
    assert state.selection.picked is None


def test_nulls_are_the_stored_ones_where_there_are_and_drawn_alike_elsewhere(whole_chain, raster):
    state, stored = state_of(whole_chain), chains.kept_nulls(raster)
    for null_id in (*RASTER_NULLS, SHUFFLE):
        state.choose(gain=1.0, null_id=null_id)
        place = stored.conditions.index(state.selection.condition.with_null(null_id))
        np.testing.assert_array_equal(state.null_window.counts, stored.counts[place, state.selection.row])
    state.choose(gain=0.8, null_id=PRIMARY)
    np.testing.assert_array_equal(np.sort(state.null_window.counts, axis=-1), np.sort(state.window.counts, axis=-1))
    state.choose(null_id=SHUFFLE)
    with pytest.raises(DependencyError, match="kept at g1 and g"):
        _ = state.null_window


def test_curves_hold_the_rows_of_t01_and_the_selected_condition_its_own_branching(whole_chain, raster):
    state = state_of(whole_chain)
    state.choose(spike_def=TWO, target_rate=0.001, gain=1.2)
    curves = branching_curves(state)
    t01 = state.chain.table(CANON.TABLE.T01_SUMMARY)
    rows = t01[(t01["spike_def_id"] == TWO) & (t01["target_rate"] == 0.001)].set_index("g")
    assert list(curves.rows["g"]) == list(chains.GAINS)
    assert curves.here["b_tot"] == pytest.approx(rows.loc[1.2, "b_tot"], abs=1e-15)
    state.choose(intervention=Intervention.ATTN_GLOBAL)
    counts = raster.counts[raster.conditions.index(state.selection.condition)]
    assert branching_curves(state).here["b_depth"] == float(branching_sums(counts).pooled().b_depth)


def test_the_point_beside_the_selection_is_its_own_null_under_every_intervention(whole_chain):
    state = state_of(whole_chain)
    for intervention in (Intervention.MLP_GLOBAL, Intervention.ATTN_GLOBAL):
        for null_id in RASTER_NULLS:
            state.choose(intervention=intervention, gain=chains.GSTAR, null_id=null_id)
            counts = state.chain.null(state.selection.condition, null_id).counts[0].astype(int) > 0
            here = branching_curves(state).null_here
            forward = (counts[:, :, :-1] & counts[:, :, 1:]).sum() / counts[:, :, :-1].sum()
            upward = (counts[:, :-1] & counts[:, 1:]).sum() / counts[:, :-1].sum()
            assert here == pytest.approx({"b_time": forward, "b_depth": upward, "b_tot": forward + upward})
    state.choose(null_id=SHUFFLE)
    assert np.isnan(list(branching_curves(state).null_here.values())).all()


def test_shuffled_tokens_that_are_lost_still_have_their_b_tot_in_t01(raster, tmp_path):
    state = state_of(chain_without_s04(raster, tmp_path))
    state.choose(gain=chains.GSTAR, null_id=SHUFFLE)
    curves = branching_curves(state)
    assert curves.null_here["b_tot"] == pytest.approx(curves.here["b_tot"] - 0.07)
    assert np.isnan(curves.null_here["b_time"])
    state.choose(gain=0.8)
    assert np.isnan(branching_curves(state).null_here["b_tot"])


def test_sizes_are_of_all_windows_and_fits_those_of_t04_and_t09(whole_chain, raster):
    state = state_of(whole_chain)
    state.choose(gain=1.2)
    curves = size_curves(state)
    counts = raster.counts[state.cond_id]
    assert (curves.real.values * curves.real.counts).sum() == counts.sum()
    assert (curves.null.values * curves.null.counts).sum() == counts.sum()
    assert (curves["alpha_powerlaw"], curves["cutoff_alpha"], curves["xmax"]) == (3.2, 1.5, 80.0)
    real, permuted = curves.tau[NullId.NULL_NONE], curves.tau[PRIMARY]
    assert astuple(real) == pytest.approx((1.2, 1.1, 1.3, 3.0))
    assert astuple(permuted) == pytest.approx((5.2, 5.1, 5.3, 7.0))
    assert astuple(curves.alpha) == pytest.approx((3.2, 3.1, 3.3, 2.0))
    state.choose(intervention=Intervention.ATTN_GLOBAL)
    assert not size_curves(state).fitted
    assert "no fits" in size_curves(state).missing


def test_rasters_alone_can_be_looked_at(rasters_only):
    state = state_of(rasters_only)
    curves = branching_curves(state)
    assert list(curves.rows["g"]) == list(chains.GAINS)
    assert "no run of S05" in curves.missing
    assert not size_curves(state).fitted
    assert state.null_window.n_events == state.window.n_events
    assert "no run of S05" in size_curves(state).missing
    state.choose(null_id=SHUFFLE)
    assert size_curves(state).null is None
    with pytest.raises(DependencyError, match="no run of S04"):
        _ = state.null_window


def test_a_changed_artifact_is_named_not_shown(rasters_only):
    chains.flip_a_byte(rasters_only, chains.result(CANON.OUTPUT.RASTER_NPZ_BASENAME))
    with pytest.raises(IntegrityError, match="is not the file that its record names"):
        state_of(rasters_only)


def chain_without_s04(raster, tmp_path):
    store = chains.RunStore(tmp_path / "runs")
    s03 = chains.make_s03(store, raster)
    s04 = chains.make_s04(store, raster, s03)
    chains.make_s05(store, raster, s03, s04)
    s04.path.rename(tmp_path / "gone")
    return store


def test_a_chain_that_lost_a_run_still_opens(raster, tmp_path):
    (chain,) = find_chains(chain_without_s04(raster, tmp_path).root)
    assert set(chain.runs) == {Stage.S03, Stage.S05}
    with pytest.raises(CritnbError, match="no run of S04"):
        chain.null(raster.conditions[0], SHUFFLE)


def test_another_chain_keeps_what_it_can(whole_chain, rasters_only):
    state = state_of(whole_chain)
    state.choose(spike_def=TWO, row=3, picked=0)
    state.use(find_chains(rasters_only.root)[0])
    assert (state.selection.condition.spike_def_id, state.selection.row, state.selection.picked) == (TWO, 3, None)


def test_a_menu_names_chains_by_records_alone_and_by_when_they_were_made(rasters_only):
    chains.flip_a_byte(rasters_only, chains.result(CANON.OUTPUT.RASTER_NPZ_BASENAME))
    (chain,) = find_chains(rasters_only.root)
    made = chain.end.record.created_utc
    assert chain.label == f"BASE · tiny · {chain.end.run_id} · {made[:10]} {made[11:16]} UTC"


def test_a_damaged_chain_leaves_the_selection_where_it_is(whole_chain, rasters_only):
    state = state_of(whole_chain)
    before, told = (state.chain, state.selection), []
    state.observe(lambda: told.append(1))
    chains.flip_a_byte(rasters_only, chains.result(CANON.OUTPUT.RASTER_NPZ_BASENAME))
    with pytest.raises(IntegrityError):
        state.use(find_chains(rasters_only.root)[0])
    assert ((state.chain, state.selection), told) == (before, [])
