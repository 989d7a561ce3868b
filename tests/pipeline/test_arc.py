"""Multiple-choice questions as a user runs them: what is answered, what is left out, and that the table says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from critnb.canon import CANON, Exit, Stage
from critnb.cli.command_line import main
from critnb.runs import Run, RunStore
from critnb.stages.shared import token_shares

NAMES = {"accuracy": "logprob_letter", "opt_acc_text": "logprob_text"}


def run_of(runs: Path, stage: Stage) -> Run:
    return RunStore(runs).runs(stage)[-1]


def table_of(run: Run) -> pd.DataFrame:
    return run.parquet(f"{CANON.RUN_SUBDIR.TABLES}/{CANON.TABLE.T03_ARC}.parquet")


@pytest.fixture(scope="module")
def arc(whole) -> Run:
    return run_of(whole, Stage.S06ARC)


@pytest.fixture(scope="module")
def scores(arc) -> pd.DataFrame:
    return arc.parquet(arc.result(CANON.OUTPUT.ARC_SCORES_PARQUET_BASENAME))


def test_every_choice_is_scored_at_the_baseline_and_at_each_chosen_gain(arc, scores, whole):
    selected = run_of(whole, Stage.S02B)
    choices = selected.json(selected.result(CANON.OUTPUT.GSTAR_JSON_BASENAME))["choices"]
    assert set(scores["gain"]) == {1.0, *(choice["gstar"] for choice in choices)}
    for _, of_gain in scores.groupby("gain"):
        assert of_gain["question_id"].value_counts().to_dict() == {"short": 3, "digits": 3, "long": 5, "tie": 3}
        assert of_gain["label"].tolist() == [*"ABC", *"123", *"ABCDE", *"ABC"]
    assert arc.record.datasets["ARC_MCQ"]["n_questions"] == 4


def test_a_question_beyond_the_context_is_reported_and_left_out(arc, scores):
    long = scores["question_id"] == "long"
    assert scores.loc[long, "skipped"].all()
    assert not scores.loc[~long, "skipped"].any()
    assert (scores.loc[long, "n_tokens"] > 64).all()
    assert scores.loc[long, ["logprob_letter", "logprob_text"]].isna().all(axis=None)
    assert not scores.loc[long, [f"chosen_by_{word}" for word in ("letter", "text", "text_per_byte")]].any(axis=None)
    assert set(table_of(arc)["n_questions"]) == {3}
    assert set(table_of(arc)["opt_n_skipped"]) == {1}
    assert arc.record.metrics["n_skipped"] == 1
    assert next(gate for gate in arc.record.metrics["gates"] if gate["value"] == "3 of 4")["verdict"] == "fail"
    assert (
        "1 exceed the context (64 tokens)" in next((arc.path / CANON.RUN_SUBDIR.NOTEBOOK).glob("*.ipynb")).read_text()
    )


def test_the_table_is_what_the_scores_say(arc, scores):
    answered = scores[~scores["skipped"]].assign(
        opt_acc_norm=lambda frame: frame["logprob_text"] / frame["n_bytes"],
        **{name: scores[column] for name, column in NAMES.items()},
    )
    right: dict[float, pd.DataFrame] = {}
    for gain, of_gain in answered.groupby("gain"):
        best = {
            name: of_gain.loc[of_gain.dropna(subset=[name]).groupby("question_id")[name].idxmax()]
            .set_index("question_id")["is_answer"]
            .astype(float)
            for name in ("accuracy", "opt_acc_text", "opt_acc_norm")
        }
        right[gain] = pd.DataFrame(best)
    table = table_of(arc)
    assert len(table) == 2 * 2 * 2
    for _, row in table.iterrows():
        for name in right[1.0]:
            assert row[name] == pytest.approx(right[row["g"]][name].mean())
            difference = (right[row["g"]][name] - right[1.0][name]).mean()
            found = row[f"opt_{name.removeprefix('opt_')}_vs_g1"]
            assert np.isnan(found) if row["g_condition"] == "g1" else found == pytest.approx(difference)
    assert table["opt_chance"].to_numpy() == pytest.approx(1 / 3)


def test_choices_that_are_the_same_tokens_are_left_out_by_text_alone(arc, scores):
    tie = scores["question_id"] == "tie"
    assert scores.loc[tie, "same_choices"].all()
    assert not scores.loc[~tie, "same_choices"].any()
    assert not scores["same_labels"].any()
    assert scores.loc[tie, "logprob_text"].isna().all()
    assert scores.loc[tie, "logprob_letter"].notna().all()
    table = table_of(arc)
    assert set(table["opt_n_questions_text"]) == {2}
    assert set(table["opt_n_same_choices"]) == {1}
    assert set(table["opt_reason"]) == {
        "1 of 4 exceed the model's context; 1 of 4 are left out by text, as tokens do not tell their choices apart"
    }


def test_bytes_are_those_of_utf8(scores):
    assert scores.loc[(scores["question_id"] == "digits") & (scores["choice"] == 2), "n_bytes"].unique() == [2]


def test_the_shares_of_the_prompts_are_kept(arc):
    shares = token_shares.load(arc)
    # one token a byte, é being two of them, and every prompt opened by none that counts
    assert shares["ARC_MCQ"] | {"n_chars": 0, "n_tokens": 0} == {
        **{"n_texts": 4, "n_chars": 0, "n_dropped": 0, "n_tokens": 0, "n_unk": 0, "unk_token": None, "dropped_most": []}
    }
    assert shares["ARC_MCQ"]["n_tokens"] == shares["ARC_MCQ"]["n_chars"] + 1
    kept = {gate["name"]: gate for gate in arc.record.metrics["gates"]}
    assert all(kept[gate.name] == gate.as_dict() for gate in token_shares.gates(shares))


def test_without_any_question_that_fits_nothing_is_available(whole, inputs, tmp_path, run_stages):
    for stage in (Stage.S01, Stage.S02, Stage.S02B):
        shutil.copytree(run_of(whole, stage).path, tmp_path / run_of(whole, stage).run_id)
    line = next(line for line in (inputs / "questions.jsonl").read_text().splitlines() if '"long"' in line)
    (tmp_path / "long.jsonl").write_text(line)
    done = run_stages("phase6_arc_mcq_eval", tmp_path, "--set", f"data.ARC_MCQ.path={tmp_path / 'long.jsonl'}")
    assert done.returncode == 0, done.stderr
    table = table_of(run_of(tmp_path, Stage.S06ARC))
    assert set(table["n_questions"]) == {0}
    assert table[["accuracy", "opt_acc_text", "opt_chance", "accuracy_ci_low"]].isna().all(axis=None)
    assert set(table["opt_reason"]) == {"1 of 1 exceed the model's context"}
    gates = {gate["name"]: gate for gate in run_of(tmp_path, Stage.S06ARC).record.metrics["gates"]}
    unavailable = [name for name, gate in gates.items() if gate["verdict"] == "not available"]
    assert unavailable == [
        "labels that tokens tell apart",
        "choices that tokens tell apart",
        "accuracy by letter at g1 above chance",
    ]
    assert gates[unavailable[-1]]["reason"] == "no question is answered by letter: 1 of 1 exceed the model's context"


@pytest.mark.parametrize(
    ("line", "words"),
    [('{"id": "q"}', "no field 'question'; there is 'id'"), ("", "no questions"), ("{", "line 1: not JSON")],
)
def test_questions_that_cannot_be_used_leave_nothing_behind(inputs, tmp_path, capsys, line, words):
    (tmp_path / "bad.jsonl").write_text(line)
    tree = yaml.safe_load((inputs / "params.yaml").read_text())
    tree["models"]["BASE"]["path"] = str(inputs / "model")
    tree["data"] = {
        "A": {"source": "file", "path": str(inputs / "corpus.txt")},
        "ARC_MCQ": {"source": "file", "path": "bad.jsonl"},
    }
    (tmp_path / "params.yaml").write_text(json.dumps(tree))
    capsys.readouterr()
    command = [CANON.CLI.CMD.PHASE6_ARC_MCQ_EVAL, "--params", str(tmp_path / "params.yaml"), "-q"]
    assert main([*command, "--runs-dir", str(tmp_path / "runs")]) == Exit.BAD_INPUT
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("error: data.ARC_MCQ: ")
    assert words in error
    assert not list((tmp_path / "runs").glob("RUN_*"))
