"""T10_KNOCKOUTS: what putting events out does to the layers above, at g1 and g*, beside what the raster alone says."""

from __future__ import annotations

from functools import partial

from critnb.canon import CANON
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema

_PER_EVENT = "events/event"
_SHARE = "events/event of layer l+1"
_measured = partial(col.with_interval, over=col.SEQUENCES)

T10 = TableSchema(
    name=CANON.TABLE.T10_KNOCKOUTS,
    rows="per spike definition and target rate: knock-outs at g1 and at g* under MLP_GLOBAL on the first windows of A_raster",
    key=col.G_CONDITION_KEY,
    columns=(
        *col.PROVENANCE,
        *col.SPIKES,
        col.G_CONDITION,
        col.THAT_GAIN,
        col.count("n_sequences", "sequences", "windows in which events were put out"),
        col.count("events_out", "events", "events put out, over all layers below the last and all these windows"),
        *_measured(
            "sigma_depth",
            _PER_EVENT,
            "branching by intervention: events of layer l+1 that vanish minus those that appear when the events of layer l are "
            "put to their mean, minus the same for as many random units at the same sites, per event put out, over all layers",
        ),
        col.number(
            "sigma_depth_p",
            "-",
            "one-sided p that sigma_depth is above zero, by random signs of the windows",
            col.SHARE,
        ),
        *_measured("sigma_depth_places", _PER_EVENT, "sigma_depth against the same units at random other tokens"),
        *_measured("offspring", _PER_EVENT, "as sigma_depth, over all layers above l in place of layer l+1"),
        *_measured("offspring_places", _PER_EVENT, "offspring against the same units at random other tokens"),
        *_measured(
            "lost_share", _SHARE, "share of the events of layer l+1 that vanish, no control taken off", col.SHARE
        ),
        *_measured(
            "new_share",
            _SHARE,
            "events that appear in layer l+1 for each that was there, no control taken off",
            col.NOT_NEGATIVE,
        ),
        *_measured(
            "causal_share",
            "-",
            "part of the excess of b_depth over random order that goes when events are put out, beyond random units",
        ),
        col.number("b_depth", col.PER_SITE, "b_depth of the raster on these windows", col.SHARE),
        *_measured(
            "delta_b_depth", col.PER_SITE, "b_depth minus the closed form of the permutation null, on these windows"
        ),
        *_measured(
            "lyapunov",
            "nats/layer",
            "Lyapunov exponent along depth at that gain: growth of a small disturbance relative to the stream, mean over layers",
        ),
        col.text("reason", "why sigma_depth or its interval is not available, else empty"),
        col.text("causal_share_reason", "why causal_share or its interval is not available, else empty"),
        col.text("lyapunov_reason", "why lyapunov or its interval is not available, else empty"),
    ),
    appendix=True,
)
