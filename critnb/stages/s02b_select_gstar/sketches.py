"""What S02B's notebook shows as a picture: b_tot over the gain, the gain closest to one, and how sure its choice is."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.pipeline.session import StageSession
from critnb.report.figures import gstar_selection
from critnb.report.sketch import Sketch, sketch
from critnb.stages.s02b_select_gstar.work import Choice


def chosen(stage: StageSession, choices: list[Choice]) -> Sketch:
    """Return the picture of the choices, which S05 keeps as F05."""
    entries = [{"spike_def_id": kind, "target_rate": rate, **each.as_dict()} for kind, rate, each in choices]
    drawing = gstar_selection(entries)
    identified = sum(each.identified for _, _, each in choices)
    gains = sorted({each.gstar for _, _, each in choices})
    alt = (
        f"g* lies at {', '.join(f'{gain:g}' for gain in gains)}; it is the only gain of its confidence set in {identified} of "
        f"{len(choices)} choices."
    )
    source = stage.file(CANON.OUTPUT.GSTAR_JSON_BASENAME)
    return sketch(drawing.figure, caption=drawing.caption, alt=alt, sources=(source,))
