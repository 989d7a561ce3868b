"""The figures of S05, drawn from what the analysis found and written into the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from critnb.canon import CANON, Adjacency, Intervention, SpikeDef
from critnb.criticality.sizes.avalanches import find_avalanches
from critnb.criticality.sizes.profiles import profiles
from critnb.criticality.tails import Histogram
from critnb.lattice.planes import Counts
from critnb.pipeline.session import StageSession
from critnb.report import figures
from critnb.report.style import Drawing, Rendered, save_figure
from critnb.stages.s05_analysis.work import AnalysisResult

_FIGURE = CANON.FIGURE
_Drawn = Callable[[AnalysisResult, Adjacency], Drawing]


def draw(stage: StageSession, number: str, found: AnalysisResult) -> Rendered:
    """Draw and write the figure of a number like F03; raises KeyError where S05 draws none of it."""
    name, drawn = _DRAWN[number]
    with stage.step(f"figure {name}"):
        drawing = drawn(found, stage.params.analysis.adjacency)
        return save_figure(stage.run, name, drawing, found.provenance, appendix=number in _APPENDIX)


def _avalanche_profiles(found: AnalysisResult, adjacency: Adjacency) -> Drawing:
    """Draw the profiles at the highest rate of each spike definition, at g*."""
    highest = {spike_def: max(r for d, r in found.gstar if d == spike_def) for spike_def, _ in found.gstar}
    gamma = found.t01.set_index(["spike_def_id", "target_rate", "g"])["crackling_gamma"]
    shown = []
    for spike_def, rate in highest.items():
        gain, *counts = _at_gstar(found, spike_def, rate)
        real, null = (profiles(one, found.raster.seq_id, adjacency) for one in counts)
        slope = float(gamma[str(spike_def), rate, gain])
        shown.append(figures.ShownProfiles(spike_def, rate, gain, real, null, slope))
    return figures.avalanche_profiles(shown)


def _tail_distributions(found: AnalysisResult, adjacency: Adjacency) -> Drawing:
    """Draw the tails of every spike definition and rate, at g*."""
    shown = []
    for spike_def, rate in found.gstar:
        gain, *counts = _at_gstar(found, spike_def, rate)
        both = [find_avalanches(one, found.raster.seq_id, adjacency) for one in counts]
        sizes, durations = ([Histogram.of(getattr(one, name)) for one in both] for name in ("size", "span_tokens"))
        shown.append(figures.ShownTails(spike_def, rate, gain, *sizes, *durations))
    return figures.tail_distributions(shown, found.t04)


def _at_gstar(found: AnalysisResult, spike_def: SpikeDef, rate: float) -> tuple[float, Counts, Counts]:
    """Return g* and the real and the permuted counts [N, L, T] there."""
    gain = found.gstar[spike_def, rate]
    (cond_id,) = found.raster.conditions.where(
        intervention_id=Intervention.MLP_GLOBAL, spike_def_id=spike_def, target_rate=rate, gain=gain
    )
    return gain, found.raster.counts[cond_id], found.permuted.counts[cond_id]


_DRAWN: Mapping[str, tuple[str, _Drawn]] = {
    "F01": (
        _FIGURE.F01_RASTER_EXAMPLE,
        lambda found, adjacency: figures.raster_example(
            found.raster, found.permuted, gstar=found.gstar, adjacency=adjacency
        ),
    ),
    "F02": (_FIGURE.F02_RATE_MATCH_CHECK, lambda found, _: figures.rate_match(found.tau)),
    "F03": (_FIGURE.F03_BRANCHING_CURVES, lambda found, _: figures.branching_curves(found.t01)),
    "F04": (_FIGURE.F04_NULL_DELTAB, lambda found, _: figures.null_delta(found.t01)),
    "F05": (_FIGURE.F05_GSTAR_SELECTION, lambda found, _: figures.gstar_selection(found.choices)),
    "F08": (_FIGURE.F08_SPIKEDEF_ROBUST, lambda found, _: figures.spikedef_robust(found.t01)),
    "F09": (_FIGURE.F09_CHI_CURVES, lambda found, _: figures.chi_curves(found.t01)),
    "F10": (_FIGURE.F10_NULL_COMPARE, lambda found, _: figures.null_compare(found.t01)),
    "F11": (_FIGURE.F11_ABLATIONS, lambda found, _: figures.ablations(found.t06)),
    "F12": (_FIGURE.F12_THRESHOLD_SWEEP, lambda found, _: figures.threshold_sweep(found.t09, gstar=found.gstar)),
    "F13": (_FIGURE.F13_AVALANCHE_PROFILES, _avalanche_profiles),
    "F14": (_FIGURE.F14_TAIL_DISTRIBUTIONS, _tail_distributions),
}
_APPENDIX = frozenset({"F09", "F10", "F11", "F12", "F13", "F14"})
