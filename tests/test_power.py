"""The command ``power`` on runs made in a moment: which pilot it takes, what it prints, and where it refuses."""

import json
import math

import pandas as pd
import pytest
import yaml
from made import made

from critnb.canon import CANON, Exit, Intervention, SpikeDef, Stage
from critnb.cli.command_line import main
from critnb.params import load
from critnb.runs import RunStore

ONE, TWO = SpikeDef
HALF = 1.959964 * 0.0057


def t06():
    def row(kind, rate, where, g, middle, half, intervention=Intervention.MLP_GLOBAL):
        ends = {"opt_delta_b_tot_vs_g1_ci_low": middle - half, "opt_delta_b_tot_vs_g1_ci_high": middle + half}
        fixed = {"intervention_id": str(intervention), "g_condition": where, "n_sequences": 96}
        return {
            "spike_def_id": str(kind),
            "target_rate": rate,
            "g": g,
            "opt_delta_b_tot_vs_g1": middle,
            **ends,
            **fixed,
        }

    return pd.DataFrame(
        [
            row(ONE, 2e-4, "g1", 1.0, 0.0, 0.0),
            row(ONE, 2e-4, "gstar", 0.7, 0.006, HALF),
            row(ONE, 2e-4, "gstar", 0.7, 0.5, 0.001, Intervention.ATTN_GLOBAL),
            row(TWO, 2e-4, "gstar", 1.0, 0.0, 0.0),
            row(TWO, 6e-4, "gstar", 0.8, math.nan, math.nan),
        ]
    )


@pytest.fixture
def runs(tmp_path):
    """Two pilots: an old one with the default params, and a newer one of shorter windows."""
    store = RunStore(tmp_path)
    file = f"{CANON.RUN_SUBDIR.TABLES}/appendix/{CANON.TABLE.T06_ABLATIONS}.parquet"
    made_with = load("base.yaml").params.sections()
    pilots = []
    for seq_len in (made_with["windows"]["seq_len"], 16):
        windows = {"windows": {**made_with["windows"], "seq_len": seq_len}}
        config = yaml.safe_dump({**windows, "role": "BASE"}).encode()
        grid = made(store, Stage.S02, params=windows, config=config)
        analysis = yaml.safe_dump({"analysis": made_with["analysis"], "role": "BASE"}).encode()
        pilots.append(made(store, Stage.S05, upstream=[grid], config=analysis, files={file: t06()}))
    return tmp_path, pilots


def test_the_pilot_of_these_params_is_taken_and_its_numbers_are_those_of_the_closed_form(runs, capsys):
    folder, (pilot, _) = runs
    assert main(["power", "--runs-dir", str(folder), "--json"]) == Exit.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["roles"]["BASE"]["run_id"] == pilot.run_id
    first, second, third = found["roles"]["BASE"]["conditions"]
    assert first["windows_needed"] == math.ceil(96 * (2.801585 * 0.0057 / 0.005) ** 2)
    assert first["detects"] == pytest.approx(2.801585 * 0.0057, rel=1e-5)
    assert (second["windows_needed"], third["windows_needed"]) == (None, None)
    assert "g* is g1" in second["reason"]
    assert "no interval" in third["reason"]


def test_the_table_says_what_it_assumes(runs, capsys):
    folder, (pilot, _) = runs
    assert main(["power", "--runs-dir", str(folder), "--detect", "0.01", "--power", "0.9"]) == Exit.DONE
    text = capsys.readouterr().out
    assert pilot.run_id in text
    assert "windows are independent" in text
    assert f"{math.ceil(96 * ((1.959964 + 1.281552) * 0.0057 / 0.01) ** 2)}\n" in text
    assert text.count("not available: ") == 2


def test_without_a_pilot_the_command_that_makes_one_is_named(tmp_path, capsys):
    assert main(["power", "--runs-dir", str(tmp_path)]) == Exit.MISSING_DEPENDENCY
    assert "runner.py phase5_analyze_and_export --params base.yaml --role BASE" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [["--detect", "0"], ["--power", "1"], ["--detect", "nan"]], ids=str)
def test_what_cannot_be_detected_is_refused(runs, asked, capsys):
    assert main(["power", "--runs-dir", str(runs[0]), *asked]) == Exit.BAD_INPUT
    assert "power" in capsys.readouterr().err
