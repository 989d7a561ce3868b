"""A study made up in a moment: the runs of S02 to S06ARC of a role, with tables that agree, for claims and the paper."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import made
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from report import frames

from critnb.canon import CANON, Criterion, DatasetRole, GCondition, Intervention, ModelRole, NullId, SpikeDef, Stage
from critnb.gates import Verdict
from critnb.paper.claims import RoleEvidence, gather
from critnb.report.schema import T01, T02, T05, T08, T10
from critnb.report.tables import SCHEMAS, table_path
from critnb.runs import Run, RunStore
from critnb.runs.encoding import csv_bytes

OUT, TABLE, FIGURE = CANON.OUTPUT, CANON.TABLE, CANON.FIGURE
KEY = ["spike_def_id", "target_rate"]
N_LAYERS = 4
_PARAMS = {
    "nulls": {"replicates": 200, "verdict_replicates": 1999, "shuffles": 20, "seed": 1},
    "knock_outs": {"windows": 16, "directions": 4},
    "analysis": {"bootstrap_reps": 500, "adjacency": "ADJ_4N"},
    "windows": {"burn_in_tokens": 0, "seq_len": 64},
}
_CONSTANTS = {"RATE_MATCH_TOL_REL": 1e-3, "GSTAR_CROSSING_MIN_SHARE": 0.5, "BRANCHING_PROXIMITY_MAX": 0.05}


def conditions() -> list[tuple[SpikeDef, float]]:
    return list(product(frames.KINDS, frames.RATES))


def choices() -> dict[str, Any]:
    rows = [
        {"spike_def_id": str(kind), "target_rate": rate, "gstar": g, "b_tot_at_gstar": 0.99, "identified": True,
         "at_grid_edge": False, "crosses_one": True, "gains": list(frames.GAINS), "confidence_set": [g]}
        for (kind, rate), g in frames.gstar().items()
    ]  # fmt: skip
    return {"choices": rows}


def grid(role: ModelRole) -> pd.DataFrame:
    """Metrics of A_cal whose b_tot is closest to one at the chosen gain."""
    chosen = frames.gstar()
    return pd.DataFrame(
        [
            {"model_role": str(role), "spike_def_id": str(kind), "target_rate": rate, "gain": g,
             "intervention_id": str(Intervention.MLP_GLOBAL), "null_id": str(NullId.NULL_NONE),
             "b_tot": 0.99 - 0.3 * abs(g - chosen[kind, rate])}
            for (kind, rate), g in product(conditions(), frames.GAINS)
        ]
    )  # fmt: skip


def thresholds() -> pd.DataFrame:
    rows = [
        {"intervention_id": str(Intervention.MLP_GLOBAL), "gain": g, "spike_def_id": str(kind), "target_rate": rate,
         "layer": layer, "tau": 3 + layer + g / 7, "target_events": 4000, "events": 4000 - layer, "ties": 1,
         "achieved_rate": rate, "target_layer_rate": rate * (0.7 + layer / 5), "events_raster": 9000,
         "achieved_rate_raster": rate * (0.7 + layer / 5) * (1.07 + layer / 10)}
        for (kind, rate), g, layer in product(conditions(), frames.GAINS, range(N_LAYERS))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def t01(role: ModelRole) -> pd.DataFrame:
    table = frames.t01()
    shift = 0.002 if role is ModelRole.INSTRUCT else 0.0
    return table.assign(
        model_role=str(role),
        delta_b_tot=table["delta_b_tot"] + shift,
        achieved_rate_mean=table["target_rate"] * 1.07,
        achieved_rate_max_abs_err=table["target_rate"] * 0.2,
        rate_match_tol_abs=5e-4,
        tau0_baseline=2.5,
        opt_spike_def_overlap=0.9 + table["g"] / 100,
        opt_spike_def_sites_apart=table["g"] * 1000,
        **{name: 0.06 for name in ("opt_delta_b_diag", "opt_delta_b_anti") if name in T01.by_name},
    )


def t02(role: ModelRole) -> pd.DataFrame:
    chosen = frames.gstar()
    rows = pd.DataFrame(
        [
            {"spike_def_id": kind, "target_rate": rate, "g_condition": which, "b_tot": 0.8, "delta_b_tot": 0.11,
             "opt_delta_b_tot_ci_low": 0.1, "opt_delta_b_tot_ci_high": 0.123, "ppl": 21.5 + (which == "gstar"),
             "g": chosen[kind, rate] if which is GCondition.gstar else 1.0, "opt_achieved_rate_mean": rate * 1.3,
             "opt_delta_b_tot_vs_g1": -0.004, "opt_delta_b_tot_vs_g1_ci_low": -0.009,
             "opt_delta_b_tot_vs_g1_ci_high": 0.002, "opt_nll_mean_vs_g1": 0.03, "opt_nll_mean_vs_g1_ci_low": 0.02,
             "opt_nll_mean_vs_g1_ci_high": 0.05}
            for (kind, rate), which in product(conditions(), GCondition)
        ]
    )  # fmt: skip
    return frames.filled(T02, rows).assign(model_role=str(role), dataset_role="B")


def t06(role: ModelRole) -> pd.DataFrame:
    table = frames.t06()
    lower, upper = (table["opt_delta_b_tot_vs_g1"] + side * 0.004 for side in (-1, 1))
    return table.assign(
        model_role=str(role),
        opt_delta_b_tot_vs_g1_ci_low=lower,
        opt_delta_b_tot_vs_g1_ci_high=upper,
        opt_occupancy=0.05 + table["g"] / 100,
    )


NO_CONTROLS = {
    "opt_false_alarm": np.nan, "opt_false_alarm_on": "", "opt_detection": np.nan, "opt_detection_on": "",
    "opt_control_rasters": np.nan, "opt_control_lattice": "",
}  # fmt: skip
OF_NETWORKS = {
    "opt_false_alarm": 0.02, "opt_false_alarm_on": "shared input", "opt_detection": 0.97, "opt_detection_on": "a = 0.3",
    "opt_control_rasters": 200.0, "opt_control_lattice": "6 x 32 x 16",
}  # fmt: skip
CONTROLS = {
    "opt_false_alarm": 0.85, "opt_false_alarm_on": "shared AR(1), s = 0.6", "opt_detection": 0.4,
    "opt_detection_on": "critical, h = 0.001", "opt_control_rasters": 20.0, "opt_control_lattice": "8 x 128 x 96",
}  # fmt: skip


def t10(role: ModelRole) -> pd.DataFrame:
    """Knock-outs that take a tenth of an event with them and explain a twentieth of the co-activity."""
    rows = pd.DataFrame(
        [
            {"spike_def_id": kind, "target_rate": rate, "g_condition": which,
             "g": frames.gstar()[kind, rate] if which is GCondition.gstar else 1.0, "n_sequences": 16, "events_out": 3172,
             "lost_share": 0.18, "new_share": 0.16, "sigma_depth_p": 5e-4, "b_depth": 0.31,
             **{f"{name}{end}": value + step * abs(value) for name, value in MEASURED.items() for end, step in ENDS.items()}}
            for (kind, rate), which in product(conditions(), GCondition)
        ]
    )  # fmt: skip
    return frames.filled(T10, rows).assign(model_role=str(role))


MEASURED = {"sigma_depth": 0.1, "sigma_depth_places": 0.11, "offspring": 0.4, "causal_share": 0.05, "delta_b_depth": 0.12,
            "lyapunov": -0.07}  # fmt: skip
ENDS = {"": 0.0, "_ci_low": -0.2, "_ci_high": 0.2}


def t08(role: ModelRole) -> pd.DataFrame:
    """Everything passes; the knock-outs have networks as controls, and X1 and S1 share a test."""
    tested = (Criterion.S1_BRANCHING, Criterion.X1_NULL_EXPLAINS_BRANCHING)
    rows = pd.DataFrame(
        [
            {"spike_def_id": kind, "target_rate": rate, "criterion_id": criterion, "g": frames.gstar()[kind, rate],
             "value": 0.5 + place / 100, "ci_low": 0.45, "ci_high": 0.7, "null_value": 0.4, "verdict": str(Verdict.PASS),
             "reason": "0.501 is above 0.4", "opt_kind": str(criterion.kind),
             "opt_p": 5e-4 if criterion in tested else np.nan, "opt_p_holm": 4e-3 if criterion in tested else np.nan,
             **(OF_NETWORKS if criterion is Criterion.S6_KNOCK_OUT else CONTROLS)}
            for (kind, rate), (place, criterion) in product(conditions(), enumerate(Criterion))
        ]
    )  # fmt: skip
    return frames.filled(T08, rows).assign(model_role=str(role))


@cache
def picture() -> dict[str, bytes]:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    drawn = {}
    for suffix in ("png", "pdf"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else {})
        drawn[suffix] = buffer.getvalue()
    return drawn


def results(**files: Any) -> dict[str, Any]:
    return {f"{CANON.RUN_SUBDIR.RESULTS}/{getattr(OUT, name)}": content for name, content in files.items()}


def tables(**by_name: pd.DataFrame) -> dict[str, Any]:
    files = {}
    for name, table in by_name.items():
        schema = SCHEMAS[getattr(TABLE, name)]
        files |= {table_path(schema, ".csv"): csv_bytes(table), table_path(schema, ".parquet"): table}
    return files


def figures(folder: str, *numbers: int) -> dict[str, Any]:
    drawn = picture()
    names = [getattr(FIGURE, name) for name in type(FIGURE).model_fields if name[0] == "F"]
    return {
        f"{folder}/{name}.{suffix}": drawn[suffix]
        for name in names
        if int(name.split("_")[1][1:]) in numbers
        for suffix in drawn
    }


@cache
def analysis_files(role: ModelRole) -> dict[str, Any]:
    of_role = {"model_role": str(role)}
    grid_keys = frames.t01()[["spike_def_id", "target_rate", "g"]]
    return {
        **tables(
            T01_SUMMARY=t01(role),
            T04_TAIL_FITS=frames.t04().assign(**of_role),
            T05_CRACKLING_DIAGNOSTICS=frames.filled(T05, grid_keys).assign(**of_role),
            T06_ABLATIONS=t06(role),
            T08_SIGNATURES=t08(role),
            T09_EXPONENTS=frames.t09().assign(**of_role),
        ),
        **figures(CANON.RUN_SUBDIR.FIGS, 1, 2, 3, 4, 5, 8),
        **figures(CANON.RUN_SUBDIR.FIGS_APPENDIX, *range(9, 15)),
    }


def slices(windows: str, **sizes: int) -> dict[str, dict[str, Any]]:
    common = {"source": "file", "revision": None, "split": None, "seq_len": 64, "slice_sha256": windows}
    return {name: {**common, "n_windows": n} for name, n in sizes.items()}


def raster(*windows: int) -> dict[str, Any]:
    return {"X": np.zeros(2, np.uint8), "seq_id": np.array(windows, np.int32)}


def chosen_from(s02: Run) -> dict[str, Any]:
    digests = {
        f"{word}_sha256": s02.artifacts[s02.result(basename)].sha256
        for word, basename in (("metrics", OUT.METRICS_PARQUET_BASENAME), ("raster", OUT.RASTER_NPZ_BASENAME))
    }
    return {**choices(), "computed_from": {"run_id": s02.run_id, **digests}}


def make_runs(store: RunStore, role: ModelRole, *, windows: str = "a" * 64, left_out: str = "") -> dict[Stage, Run]:
    """Publish a role's runs; ``windows`` is the digest of its slices, ``left_out`` a file that is not there."""

    texts = {"data": {name: {"content_sha256": name * 8} for name in (DatasetRole.A, DatasetRole.B)}}

    def publish(stage: Stage, upstream: list[Run], files: dict[str, Any], **sections: Any) -> Run:
        kept = {path: content for path, content in files.items() if path != left_out}
        words = {"role": str(role), "params": _PARAMS, "constants": _CONSTANTS, "files": kept, "identity": texts}
        return made.made(store, stage, upstream=upstream, **words, **sections)

    model = {**made.MODEL, "n_layers": N_LAYERS, "id": f"tiny_{role.lower()}#1", "role": str(role)}
    tau = results(TAU_RATE_MATCHED_PARQUET_BASENAME=thresholds())
    fitted = {**results(METRICS_PARQUET_BASENAME=grid(role), RASTER_NPZ_BASENAME=raster(0, 2)), **tau}
    s02 = publish(Stage.S02, [], fitted, model=model, datasets=slices(windows, A_cal=24))
    s02b = publish(Stage.S02B, [s02], results(GSTAR_JSON_BASENAME=chosen_from(s02)))
    held_out = results(RASTER_NPZ_BASENAME=raster(1, 3))
    s03 = publish(Stage.S03, [s02, s02b], held_out, model=model, datasets=slices(windows, A_raster=48))
    s04 = publish(Stage.S04, [s02, s03], tau)
    put_out = {**tables(T10_KNOCKOUTS=t10(role)), **figures(CANON.RUN_SUBDIR.FIGS_APPENDIX, 15, 16)}
    s04k = publish(Stage.S04K, [s02b, s03], put_out)
    carried = {**tau, **tables(T02_GENERALIZATION=t02(role)), **figures(CANON.RUN_SUBDIR.FIGS, 6)}
    answers = frames.t03().assign(model_role=str(role), n_questions=326, dataset_role="ARC_MCQ")
    asked = {**tables(T03_ARC=answers), **figures(CANON.RUN_SUBDIR.FIGS, 7)}
    return {
        Stage.S05: publish(Stage.S05, [s02, s02b, s03, s04, s04k], analysis_files(role)),
        Stage.S06B: publish(Stage.S06B, [s02, s02b], carried, model=model, datasets=slices(windows, B_eval=32)),
        Stage.S06ARC: publish(Stage.S06ARC, [s02b], asked, model=model),
    }


def evidence_of(store: RunStore, role: ModelRole, **words: Any) -> RoleEvidence:
    return gather(role, make_runs(store, role, **words), store)


def with_table(evidence: RoleEvidence, name: str, change: Any) -> RoleEvidence:
    """The evidence with one table's frame changed."""
    sourced = evidence.tables[name]
    return replace(evidence, tables={**evidence.tables, name: replace(sourced, frame=change(sourced.frame.copy()))})
