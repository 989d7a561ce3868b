"""The library on a finished run gives the numbers of the run's own tables."""

from __future__ import annotations

import numpy as np
import pytest

import critnb
from critnb.canon import Intervention

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(whole):
    return critnb.open_run("S05", runs_dir=whole)


@pytest.fixture(scope="module", params=[0, 5, 11])
def row(request, run):
    return run.table("T01").iloc[request.param]


@pytest.fixture(scope="module")
def events(run, row):
    return run.upstream("S03").raster(
        spike_def_id=row["spike_def_id"],
        target_rate=row["target_rate"],
        gain=row["g"],
        intervention_id=Intervention.MLP_GLOBAL,
    )


def test_branching_is_that_of_the_table(events, row):
    found = critnb.branching(events, null_replicates=40, bootstrap_reps=50)
    for name in ("b_time", "b_depth", "b_tot"):
        estimate = getattr(found, name)
        told = [row[name], row[f"{name}_perm"], row[f"opt_{name}_ci_low"], row[f"opt_{name}_ci_high"]]
        assert [estimate.value, estimate.null, estimate.ci_low, estimate.ci_high] == pytest.approx(told, rel=1e-12)
    assert [found.b_tot.p, found.b_tot_shift.p, found.b_tot_shift.null, found.chi.value] == pytest.approx(
        [row["opt_delta_b_tot_p"], row["opt_delta_b_tot_shift_p"], row["opt_b_tot_shift"], row["chi"]], rel=1e-12
    )


def test_avalanches_exponents_and_m_are_those_of_the_table(events, row):
    found = critnb.exponents(events, bootstrap_reps=50)
    assert len(critnb.avalanches(events)) == row["n_avalanches"] == found.real.n_avalanches
    for name, estimate in (
        ("tau_S", found.tau_S),
        ("alpha_D", found.alpha_D),
        ("gamma_uncensored", found.gamma_uncensored),
    ):
        told = [row[f"opt_{name}"], row[f"opt_{name}_perm"], row[f"opt_{name}_ci_low"]]
        np.testing.assert_allclose([estimate.value, estimate.null, estimate.ci_low], told, rtol=1e-9)
    for along, name in (("tokens", "time"), ("depth", "depth")):
        m = critnb.multistep(events, along=along, bootstrap_reps=50).m
        np.testing.assert_allclose([m.value, m.null], [row[f"opt_m_{name}"], row[f"opt_m_{name}_perm"]], rtol=1e-9)


def test_gates_gstar_and_files_of_a_real_run(run):
    assert set(run.gates()["verdict"]) <= {"pass", "fail", "not available"}
    chosen = run.gstar().set_index(["spike_def_id", "target_rate"])["gstar"]
    marked = run.table("T01").query("opt_is_gstar").set_index(["spike_def_id", "target_rate"])["g"]
    assert marked.to_dict() == chosen.to_dict()
    assert run.verify() == []
    assert all(frame.shape[0] for frame in run.tables().values())
