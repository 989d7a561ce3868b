from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from critnb.canon import SPEC_DIR, SpikeDef
from critnb.errors import DataError
from critnb.report.schema import SCHEMAS, T01, T04, T05, T06, Column, DType, Range, TableSchema, conform

SMALL = TableSchema(
    name="small",
    rows="one row per kind and gain",
    key=("spike_def_id", "g"),
    columns=(
        Column("spike_def_id", DType.TEXT, "-", "kind", SpikeDef),
        Column("g", DType.FLOAT, "-", "gain"),
        Column("n", DType.INT, "windows", "count", Range(0)),
        Column("share", DType.FLOAT, "-", "a share", Range(0, 1)),
        Column("opt_flag", DType.BOOL, "-", "a flag"),
    ),
)


def frame() -> pd.DataFrame:
    kinds = [str(kind) for kind in SpikeDef for _ in range(2)]
    return pd.DataFrame(
        {"share": [0.0, 0.5, np.nan, 1.0], "n": [1, 2, 3, 4], "g": [0.9, 1.0] * 2, "spike_def_id": kinds}
    )


def test_conform_orders_columns_and_sets_dtypes() -> None:
    conformed = conform(frame().astype({"n": "float32"}).set_index(pd.Index([7, 5, 3, 1])), SMALL)
    assert {name: str(dtype) for name, dtype in conformed.dtypes.items()} == {
        "spike_def_id": "str",
        "g": "float64",
        "n": "int64",
        "share": "float64",
    }
    assert list(conformed.index) == [0, 1, 2, 3]
    assert conformed["n"].tolist() == [1, 2, 3, 4]


def replaced(name: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda good: good.assign(**{name: [value, *good[name].iloc[1:]]})


VIOLATIONS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "missing column": (lambda good: good.drop(columns="n"), "missing column n"),
    "unknown column": (lambda good: good.assign(extra=1), "unknown column extra"),
    "duplicate column": (lambda good: pd.concat([good, good[["n"]]], axis=1), "duplicate column n"),
    "no count": (replaced("n", np.nan), "column n has no value in row 0"),
    "half a window": (replaced("n", 1.5), "column n cannot be int64: 1.5 is not a whole number"),
    "infinite count": (replaced("n", np.inf), "column n cannot be int64"),
    "words as number": (lambda good: good.assign(share=list("abcd")), "column share cannot be float64: it holds text"),
    "number as word": (replaced("spike_def_id", 3), "column spike_def_id cannot be str: 3 is not text"),
    "number as flag": (lambda good: good.assign(opt_flag=1), "column opt_flag cannot be bool: 1 is not true or false"),
    "unknown id": (
        replaced("spike_def_id", "SPIKE_OTHER"),
        "holds 'SPIKE_OTHER', allowed is one of SPIKE_ONE_SIDED_POS",
    ),
    "share above one": (replaced("share", 1.01), "column share holds .*1.01.*, allowed is 0 to 1"),
    "negative count": (replaced("n", -1), "column n holds .*-1.*, allowed is ≥ 0"),
    "duplicate key": (replaced("g", 1.0), "two rows have the key spike_def_id=SPIKE_ONE_SIDED_POS, g=1.0"),
    "gap in the grid": (
        lambda good: good.iloc[:3],
        "1 rows of the grid are missing, the first is .*TWO_SIDED_ABS, g=1.0",
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_violation_is_one_line_that_names_table_and_column(name: str) -> None:
    spoil, message = VIOLATIONS[name]
    with pytest.raises(DataError, match=f"^small: .*{message.removeprefix('.*')}") as caught:
        conform(spoil(frame()), SMALL)
    assert "\n" not in str(caught.value)


def test_a_schema_with_a_repeated_column_cannot_be_made() -> None:
    column = SMALL.columns[0]
    with pytest.raises(ValueError, match="distinct"):
        TableSchema("twice", "rows", (column.name,), (column, column))


IDENTITY = "run_id stage_id model_id config_hash code_version model_role dataset_role spike_def_id target_rate"
CONTRACT = {
    T01: f"{IDENTITY} g tau0_baseline rate_match_tol_abs achieved_rate_mean achieved_rate_max_abs_err b_time b_depth b_tot "
    "b_time_perm b_depth_perm b_tot_perm delta_b_time delta_b_depth delta_b_tot chi crackling_gamma crackling_ci_low "
    "crackling_ci_high n_sequences n_avalanches avalanche_size_mean avalanche_size_median avalanche_span_tokens_mean "
    "avalanche_span_layers_mean",
    T04: f"{IDENTITY} g xmin n_tail alpha_powerlaw lambda_exponential lognorm_mu lognorm_sigma ll_powerlaw ll_exponential "
    "ll_lognormal llr_powerlaw_vs_lognormal llr_powerlaw_vs_exponential",
    T05: f"{IDENTITY} g crackling_gamma crackling_ci_low crackling_ci_high crackling_ci_width n_duration_points "
    "n_avalanches_used r2 pass",
    T06: f"{IDENTITY} g_condition g intervention_id gain_target b_tot delta_b_tot chi achieved_rate_max_abs_err n_sequences",
}


@pytest.mark.parametrize("schema", CONTRACT, ids=lambda schema: schema.name)
def test_required_are_the_columns_of_the_contract_and_no_others(schema: TableSchema) -> None:
    assert list(schema.required) == CONTRACT[schema].split()
    assert {column.name for column in schema.columns if column.optional} == set(schema.by_name) - set(schema.required)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_every_column_has_a_line_in_spec_18(schema: TableSchema) -> None:
    part = (
        (SPEC_DIR / "18_RESULTS_TABLES.md")
        .read_text(encoding="utf-8")
        .partition(f"## {schema.name}\n")[2]
        .partition("\n## ")[0]
    )
    assert [part.count(f"\n| `{column.name}`") for column in schema.columns] == [1] * len(schema.columns)
