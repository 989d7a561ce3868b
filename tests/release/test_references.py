"""Figures whose metadata names another run, as when a picture is taken from elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from made import begun
from matplotlib.figure import Figure

from critnb.canon import CANON, Stage
from critnb.report.provenance import Provenance
from critnb.report.style import Drawing, Scope, save_figure
from critnb.runs import PartialRun, Run, RunStore
from critnb.verify.references import figures

NAME = CANON.FIGURE.F02_RATE_MATCH_CHECK


def drawing() -> Drawing:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    return Drawing(figure, "ρ over g, a caption", Scope())


def with_figure(store: RunStore, model_id: str = "tiny", **changes: str) -> Run:
    def drawn(run: PartialRun) -> Run:
        of = Provenance.of(run, {"id": model_id})
        save_figure(run, NAME, drawing(), Provenance(**{**of.as_dict(), **changes}))
        return run.publish()

    with begun(store, Stage.S05) as run:
        return drawn(run)


def found(run: Run) -> list[str]:
    return [line.partition("figs/")[2] for line in figures(SimpleNamespace(runs=[run])).findings]


@pytest.mark.parametrize("model_id", ["tiny", "modèle-ρ (1)"])
def test_a_figure_of_the_run_is_sound(tmp_path, model_id):
    assert found(with_figure(RunStore(tmp_path), model_id)) == []


@pytest.mark.parametrize(("field", "value"), [("run_id", "RUN_S05_000000000000"), ("config_hash", "f" * 64)])
def test_a_figure_of_another_run_or_config_is_named(tmp_path, field, value):
    run = with_figure(RunStore(tmp_path), **{field: value})
    true = {"run_id": run.run_id, "config_hash": run.record.config_hash}[field]
    assert found(run) == [f"{NAME}.{kind}: its metadata does not name {true}" for kind in ("pdf", "png")]


def test_a_figure_under_the_name_of_another_is_named(tmp_path):
    with begun(RunStore(tmp_path), Stage.S05) as run:
        provenance = Provenance.of(run, {"id": "tiny"})
        save_figure(run, NAME, drawing(), provenance)
        for kind in ("pdf", "png"):
            run.write_bytes(f"figs/appendix/other.{kind}", (run.path / f"figs/{NAME}.{kind}").read_bytes())
        made = run.publish()
    assert found(made) == [f"appendix/other.{kind}: its metadata does not name other" for kind in ("pdf", "png")]


def test_what_is_no_picture_is_not_taken_for_one(tmp_path):
    with begun(RunStore(tmp_path), Stage.S05, files={f"figs/{NAME}.pdf": b"%PDF"}) as run:
        made = run.publish()
    assert len(found(made)) == 3
