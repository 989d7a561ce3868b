"""The figures of S05, drawn from what the analysis found and written into the run."""

from __future__ import annotations

from critnb.canon import CANON, Intervention, SpikeDef
from critnb.criticality.sizes.avalanches import find_avalanches
from critnb.criticality.sizes.profiles import profiles
from critnb.criticality.tails import Histogram
from critnb.lattice.raster import Counts
from critnb.pipeline.session import StageSession
from critnb.report import figures
from critnb.report.style import Drawing, Rendered, save_figure
from critnb.stages.s05_analysis.work import Analysis

_FIGURE = CANON.FIGURE


def raster_example(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F01."""
    drawing = figures.raster_example(
        analysis.raster, analysis.permuted, gstar=analysis.gstar, adjacency=stage.params.analysis.adjacency
    )
    return _save(stage, _FIGURE.F01_RASTER_EXAMPLE, drawing, analysis)


def rate_match(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F02."""
    return _save(stage, _FIGURE.F02_RATE_MATCH_CHECK, figures.rate_match(analysis.tau), analysis)


def branching_curves(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F03."""
    return _save(stage, _FIGURE.F03_BRANCHING_CURVES, figures.branching_curves(analysis.t01), analysis)


def null_delta(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F04."""
    return _save(stage, _FIGURE.F04_NULL_DELTAB, figures.null_delta(analysis.t01), analysis)


def gstar_selection(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F05."""
    return _save(stage, _FIGURE.F05_GSTAR_SELECTION, figures.gstar_selection(analysis.choices), analysis)


def spikedef_robust(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F08."""
    return _save(stage, _FIGURE.F08_SPIKEDEF_ROBUST, figures.spikedef_robust(analysis.t01), analysis)


def chi_curves(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F09."""
    return _save_appendix(stage, _FIGURE.F09_CHI_CURVES, figures.chi_curves(analysis.t01), analysis)


def null_compare(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F10."""
    return _save_appendix(stage, _FIGURE.F10_NULL_COMPARE, figures.null_compare(analysis.t01), analysis)


def ablations(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F11."""
    return _save_appendix(stage, _FIGURE.F11_ABLATIONS, figures.ablations(analysis.t06), analysis)


def threshold_sweep(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F12."""
    drawing = figures.threshold_sweep(analysis.t09, gstar=analysis.gstar)
    return _save_appendix(stage, _FIGURE.F12_THRESHOLD_SWEEP, drawing, analysis)


def avalanche_profiles(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F13: the highest rate of each spike definition, at g*."""
    adjacency = stage.params.analysis.adjacency
    highest = {spike_def: max(r for d, r in analysis.gstar if d == spike_def) for spike_def, _ in analysis.gstar}
    gamma = analysis.t01.set_index(["spike_def_id", "target_rate", "g"])["crackling_gamma"]
    shown = []
    for spike_def, rate in highest.items():
        gain, real, null = _at_gstar(analysis, spike_def, rate)
        shown.append(
            figures.ShownProfiles(
                spike_def, rate, gain,
                profiles(real, analysis.raster.seq_id, adjacency), profiles(null, analysis.raster.seq_id, adjacency),
                float(gamma[str(spike_def), rate, gain]),
            )
        )  # fmt: skip
    return _save_appendix(stage, _FIGURE.F13_AVALANCHE_PROFILES, figures.avalanche_profiles(shown), analysis)


def tail_distributions(stage: StageSession, analysis: Analysis) -> Rendered:
    """Draw and write F14: every spike definition and rate, at g*."""
    adjacency, seq_id = stage.params.analysis.adjacency, analysis.raster.seq_id
    shown = []
    for spike_def, rate in analysis.gstar:
        gain, *counts = _at_gstar(analysis, spike_def, rate)
        found = [find_avalanches(one, seq_id, adjacency) for one in counts]
        sizes, durations = ([Histogram.of(getattr(one, name)) for one in found] for name in ("size", "span_tokens"))
        shown.append(figures.ShownTails(spike_def, rate, gain, *sizes, *durations))
    drawing = figures.tail_distributions(shown, analysis.t04)
    return _save_appendix(stage, _FIGURE.F14_TAIL_DISTRIBUTIONS, drawing, analysis)


def _at_gstar(analysis: Analysis, spike_def: SpikeDef, rate: float) -> tuple[float, Counts, Counts]:
    """Return g* and the real and the permuted counts [N, L, T] there."""
    gain = analysis.gstar[spike_def, rate]
    (cond_id,) = analysis.raster.conditions.where(
        intervention_id=Intervention.MLP_GLOBAL, spike_def_id=spike_def, target_rate=rate, gain=gain
    )
    return gain, analysis.raster.counts[cond_id], analysis.permuted.counts[cond_id]


def _save(stage: StageSession, name: str, drawing: Drawing, analysis: Analysis, *, appendix: bool = False) -> Rendered:
    with stage.step(f"figure {name}"):
        return save_figure(stage.run, name, drawing, analysis.provenance, appendix=appendix)


def _save_appendix(stage: StageSession, name: str, drawing: Drawing, analysis: Analysis) -> Rendered:
    return _save(stage, name, drawing, analysis, appendix=True)
