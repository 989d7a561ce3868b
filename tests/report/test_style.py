from __future__ import annotations

import gc
import hashlib
import io
import os
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from critnb.canon import CANON, SliceRole, SpikeDef
from critnb.report.style import (
    OKABE_ITO,
    PNG_DPI,
    Drawing,
    Scope,
    canvas,
    inks,
    provenance_line,
    render,
    save_figure,
    styled,
)

NAME = CANON.FIGURE.F03_BRANCHING_CURVES
SCOPE = Scope(SliceRole.A_raster, tuple(SpikeDef), (1e-5, 2e-5))


def sketch() -> Drawing:
    with styled():
        figure, body = canvas(1.5, notes=["A note."])
        axes = body.subplots()
        axes.plot([0, 1], [1, 0], label="ρ = 2·10⁻⁵")
        axes.set_xlabel("gain g (dimensionless)")
    return Drawing(figure, "A line that falls.", SCOPE)


IN_ANOTHER_PROCESS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_style import NAME, sketch
from critnb.canon import Stage
from critnb.report.provenance import Provenance
from critnb.report.style import render
p = Provenance(run_id="RUN_S05_0123456789ab", stage_id=Stage.S05, model_id="critnb/embedded-base",
               config_hash="ab" * 32, code_version="0.1.0")
drawn = render(sketch(), NAME, p)
print(hashlib.sha256(drawn.pdf + drawn.png).hexdigest())
"""


def test_bytes_are_the_same_in_another_process_at_another_time(provenance) -> None:
    """Another seed for hashes, another time zone and another clock must not reach the files."""
    here = render(sketch(), NAME, provenance)
    environment = os.environ | {"PYTHONHASHSEED": "77", "SOURCE_DATE_EPOCH": "86400", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, os.path.dirname(__file__)]  # noqa: PTH120
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == hashlib.sha256(here.pdf + here.png).hexdigest()


def test_a_users_matplotlibrc_changes_no_figure(provenance, tmp_path) -> None:
    """Its settings would change colours, fonts and margins, and text.usetex needs a program that may not be there."""
    here = render(sketch(), NAME, provenance)
    settings = (
        "text.usetex: True\nfont.family: cursive\naxes.facecolor: black\naxes.xmargin: 0.4\nsavefig.bbox: tight\n"
    )
    (tmp_path / "matplotlibrc").write_text(
        settings + "savefig.facecolor: pink\npath.sketch: 1, 100, 2\nfigure.dpi: 30\n"
    )
    environment = os.environ | {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, os.path.dirname(__file__)]  # noqa: PTH120
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == hashlib.sha256(here.pdf + here.png).hexdigest()


def test_settings_of_a_notebook_change_no_figure_and_come_back(provenance) -> None:
    here = render(sketch(), NAME, provenance)
    mine = {"lines.linewidth": 9, "axes.facecolor": "black", "axes.xmargin": 0.4, "image.cmap": "gray"}
    with mpl.rc_context(mine):
        assert render(sketch(), NAME, provenance) == here
        assert {name: mpl.rcParams[name] for name in mine} == mine


def test_pdf_has_no_date(provenance) -> None:
    pdf = render(sketch(), NAME, provenance).pdf
    assert b"CreationDate" not in pdf
    assert b"ModDate" not in pdf


def test_png_metadata_hold_the_provenance(provenance) -> None:
    image = Image.open(io.BytesIO(render(sketch(), NAME, provenance).png))
    assert image.text == {
        "Title": NAME,
        "Description": "A line that falls.",
        "Alt": "Over gain g. falls from 1 to 0.",
        "Software": "critnb",
        "run_id": "RUN_S05_0123456789ab",
        "stage_id": "S05",
        "model_id": "critnb/embedded-base",
        "config_hash": "ab" * 32,
        "code_version": "0.1.0",
        "data_role": "A_raster",
        "spike_def_id": "SPIKE_ONE_SIDED_POS,SPIKE_TWO_SIDED_ABS",
        "target_rate": "1e-05,2e-05",
    }
    assert np.allclose(image.info["dpi"], PNG_DPI, atol=0.1)


def test_pdf_metadata_hold_the_provenance(provenance) -> None:
    pdf = render(sketch(), NAME, provenance).pdf
    keywords = re.search(rb"/Keywords \((.*?)\)", pdf)
    assert keywords is not None
    for fact in (*provenance.as_dict().values(), "A_raster", "1e-05,2e-05"):
        assert fact.encode() in keywords.group(1)


def test_nothing_is_left_in_matplotlib(provenance) -> None:
    before = dict(mpl.rcParams)
    render(sketch(), NAME, provenance)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(is_enabled) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if is_enabled else gc.disable)()
        with pytest.raises(ZeroDivisionError), styled():
            _ = 1 / 0
        assert gc.isenabled() == is_enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_the_words_at_the_foot_stay_inside_the_figure(provenance) -> None:
    figure = sketch().figure
    with styled():
        line = provenance_line(figure, provenance, SCOPE)
        box = line.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert "RUN_S05_0123456789ab" in line.get_text()
    assert 0 < box.x0 < box.x1 < figure.bbox.x1
    assert box.y0 >= 0


def test_rendered_twice_it_is_the_same(provenance) -> None:
    drawing = sketch()
    assert render(drawing, NAME, provenance) == render(drawing, NAME, provenance)


def test_the_first_seven_inks_differ_in_colour_and_all_in_look() -> None:
    looks = inks(range(20))
    assert [ink.color for ink in looks.values()][:7] == list(OKABE_ITO)
    assert len(set(looks.values())) == 20


def test_inks_belong_to_values_not_to_their_order() -> None:
    assert inks([4e-5, 1e-5, 4e-5]) == inks([1e-5, 4e-5])


@pytest.mark.parametrize(("appendix", "folder"), [(False, "figs"), (True, "figs/appendix")])
def test_a_figure_is_saved_in_both_formats(provenance, run_with, appendix, folder) -> None:
    kept = []
    run = run_with(lambda partial: kept.append(save_figure(partial, NAME, sketch(), provenance, appendix=appendix)))
    assert run.read_bytes(f"{folder}/{NAME}.pdf") == kept[0].pdf
    assert run.read_bytes(f"{folder}/{NAME}.png") == kept[0].png


def test_places_are_rounded_since_the_last_bits_of_a_layout_differ_between_processes(provenance) -> None:
    drawing = sketch()
    render(drawing, NAME, provenance)
    places = [axes.get_position() for axes in drawing.figure.axes]
    places += [part.bbox_relative for part in drawing.figure.subfigs]
    assert len(places) >= 3
    for place in (place.get_points() for place in places):
        assert place == pytest.approx(np.round(place, 6), abs=1e-15)
