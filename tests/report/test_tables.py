from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from critnb.canon import CANON, Intervention, NullId, SpikeDef
from critnb.errors import DataError, IntegrityError
from critnb.report.assembly import achieved_rates, t01
from critnb.report.schema import T01
from critnb.report.tables import load_table, table_path, write_table

NAME = CANON.TABLE.T01_SUMMARY


def test_a_table_comes_back_as_it_was_written(study, run_with) -> None:
    run = run_with(lambda partial: write_table(partial, NAME, study.t01))
    pd.testing.assert_frame_equal(load_table(run, NAME), study.t01, check_exact=True)


def test_csv_holds_the_rows_of_the_parquet(study, run_with) -> None:
    run = run_with(lambda partial: write_table(partial, NAME, study.t01))
    dtypes = study.t01.dtypes.to_dict()
    read = pd.read_csv(io.BytesIO(run.read_bytes(table_path(T01, ".csv"))), dtype=dtypes)
    # CSV does not tell words that are empty from words that are missing
    read = read.fillna({name: "" for name, dtype in dtypes.items() if dtype == "str"})
    pd.testing.assert_frame_equal(read, run.parquet(table_path(T01, ".parquet")), check_exact=True)


def test_both_files_lie_in_the_tables_folder(study, run_with) -> None:
    run = run_with(lambda partial: write_table(partial, NAME, study.t01))
    assert {f"tables/{NAME}.csv", f"tables/{NAME}.parquet"} <= set(run.artifacts)


def test_a_frame_that_breaks_the_schema_is_not_written(study, run_with) -> None:
    with pytest.raises(DataError, match="missing column chi"):
        run_with(lambda partial: write_table(partial, NAME, study.t01.drop(columns="chi")))


def test_a_table_with_other_dtypes_is_not_read(study, run_with) -> None:
    spoilt = study.t01.astype({"n_sequences": "int32"})
    run = run_with(lambda partial: partial.write_parquet(table_path(T01, ".parquet"), spoilt))
    with pytest.raises(IntegrityError, match=f"{NAME} of RUN_S05"):
        load_table(run, NAME)


def layers(*, events: list[int], targets: list[int], held_out: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "intervention_id": str(Intervention.MLP_GLOBAL),
            "gain": 1.0,
            "spike_def_id": str(SpikeDef.SPIKE_TWO_SIDED_ABS),
            "target_rate": 2e-5,
            "target_events": targets,
            "events": events,
            "target_layer_rate": [1e-5, 3e-5],
            "achieved_rate": [1.1e-5, 3e-5],
            "achieved_rate_raster": held_out,
        }
    )


def test_achieved_rates_by_hand() -> None:
    found = achieved_rates(layers(events=[99, 300], targets=[100, 300], held_out=[2e-5, 2.5e-5])).iloc[0]
    assert found["achieved_rate_mean"] == pytest.approx(2.25e-5)
    assert found["achieved_rate_max_abs_err"] == pytest.approx(1e-5)
    assert found["opt_achieved_rate_max_rel_err"] == pytest.approx(0.01)
    assert found["opt_achieved_rate_cal_mean"] == pytest.approx(2.05e-5)


def test_rates_of_other_interventions_stay_out() -> None:
    own = layers(events=[100, 300], targets=[100, 300], held_out=[1e-5, 3e-5])
    other = own.assign(intervention_id=str(Intervention.ATTN_GLOBAL), achieved_rate_raster=1.0)
    both = achieved_rates(pd.concat([own, other])).set_index("intervention_id")
    assert both.loc[str(Intervention.MLP_GLOBAL), "achieved_rate_mean"] == pytest.approx(2e-5)
    assert both.loc[str(Intervention.ATTN_GLOBAL), "achieved_rate_mean"] == 1.0


def test_t01_marks_baseline_and_gstar(study) -> None:
    table = study.t01
    assert set(table.loc[table["opt_is_g1"], "g"]) == {1.0}
    marked = table[table["opt_is_gstar"]]
    keys = zip(marked["spike_def_id"], marked["target_rate"], marked["g"], strict=True)
    assert {(SpikeDef(kind), rate): g for kind, rate, g in keys} == study.gstar
    assert len(marked) == len(study.gstar)


def summary_of(study) -> pd.DataFrame:
    """The rows that T01 was assembled from, as the instrument gives them, made from the table again."""
    added = ["tau0_baseline", "rate_match_tol_abs", "opt_is_g1", "opt_is_gstar", *study.provenance.as_dict()]
    added += [name for name in study.t01.columns if "achieved_rate" in name]
    ids = {"intervention_id": str(Intervention.MLP_GLOBAL), "null_id": str(NullId.NULL_NONE)}
    return study.t01.drop(columns=added).rename(columns={"g": "gain"}).copy().assign(**ids)


def assemble(study, **changed) -> pd.DataFrame:
    inputs = {
        "summary": summary_of(study),
        "tau": study.tau,
        "gstar": study.gstar,
        "tau0": 2.5,
        "provenance": study.provenance,
    }
    return t01(**(inputs | changed))


def test_t01_keeps_only_the_grid(study) -> None:
    rows = summary_of(study)
    ablation = rows.iloc[:1].assign(intervention_id=str(Intervention.ATTN_GLOBAL))
    null = rows.iloc[:1].assign(null_id=str(NullId.NULL_TOKEN_SHUFFLE_INPUT))
    table = assemble(study, summary=pd.concat([null, rows.sample(frac=1, random_state=1), ablation]))
    pd.testing.assert_frame_equal(table, study.t01)


def test_t01_without_thresholds_of_a_condition_is_refused(study) -> None:
    with pytest.raises(DataError, match=r"no thresholds for .*'gain': 1\.3"):
        assemble(study, tau=study.tau[study.tau["gain"] != 1.3])


def test_t01_without_a_gstar_is_refused(study) -> None:
    first = next(iter(study.gstar))
    with pytest.raises(DataError, match="no g\\* for"):
        assemble(study, gstar={key: g for key, g in study.gstar.items() if key != first})


def test_t01_with_a_condition_twice_is_refused(study) -> None:
    rows = summary_of(study)
    with pytest.raises(DataError, match="two rows have the key"):
        assemble(study, summary=pd.concat([rows, rows.iloc[:1]]))


def test_a_statistic_that_no_schema_knows_is_refused(study) -> None:
    with pytest.raises(DataError, match="unknown column b_new"):
        assemble(study, summary=summary_of(study).assign(b_new=np.nan))
