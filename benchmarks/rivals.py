"""Every core piece against the ways that others would write it, at equal output: plain Python, numpy, scipy, numba, torch.

    python benchmarks/rivals.py [--repeats 7] > benchmarks/rivals.txt

Before anything is timed, rivals of what is determined must return the very same numbers. Draws of a null are random, so there
each rival must keep what the null keeps, and give the mean that is known in closed form. Works are timed in turn in one
process; plain Python does the same work on a small part, per site. The tail fit has a rival of its own, the package
``powerlaw``, in benchmarks/tails.py; multistep regression has mrestimator in benchmarks/multistep.py.
"""

from __future__ import annotations

from measuring import Spread, in_turn, machine

# isort: split
import argparse
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numba import njit
from scipy import ndimage, optimize, special

from critnb.canon import CANON, Adjacency, NullId
from critnb.criticality import (
    branching_sums,
    expected_under_permutation,
    find_avalanches,
    multinomial_weights,
    null_branching,
)
from critnb.criticality.synthetic import bernoulli, discrete_power_law
from critnb.criticality.tails import Histogram, scan_xmin
from critnb.events.largest_values import LargestValues

SEQUENCES, LAYERS, TOKENS, DENSITY = 96, 8, 128, 0.2
FEW = 4  # sequences for plain Python
REPLICATES = 20
STREAM = {"seed": 1337, "condition_key": b"benchmark"}
PERM, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
Array = np.ndarray[Any, Any]
Works = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Piece:
    """Works that do the same, ours first; ``units`` by which each one's time is divided."""

    title: str
    works: Mapping[str, Callable[[], object]]
    units: Mapping[str, int]
    unit: str


# -- avalanches: size, sites, extents of every 4-connected cluster, in order of sequence, first token, first layer


def plain_avalanches(planes: list[list[list[int]]]) -> list[tuple[int, ...]]:
    rows = []
    for sequence, plane in enumerate(planes):
        layers, tokens = len(plane), len(plane[0])
        seen = [[False] * tokens for _ in range(layers)]
        for token in range(tokens):
            for layer in range(layers):
                if plane[layer][token] and not seen[layer][token]:
                    sites = flood(plane, seen, layer, token)
                    ls, ts = zip(*sites, strict=True)
                    size = sum(plane[a][b] for a, b in sites)
                    rows.append((sequence, size, len(sites), min(ts), max(ts), min(ls), max(ls)))
    return rows


def flood(plane: list[list[int]], seen: list[list[bool]], layer: int, token: int) -> list[tuple[int, int]]:
    seen[layer][token] = True
    queue, sites = deque([(layer, token)]), []
    while queue:
        at_l, at_t = queue.popleft()
        sites.append((at_l, at_t))
        for to_l, to_t in ((at_l, at_t + 1), (at_l, at_t - 1), (at_l + 1, at_t), (at_l - 1, at_t)):
            inside = 0 <= to_l < len(plane) and 0 <= to_t < len(plane[0])
            if inside and plane[to_l][to_t] and not seen[to_l][to_t]:
                seen[to_l][to_t] = True
                queue.append((to_l, to_t))
    return sites


def scipy_avalanches(counts: Array) -> Array:
    """One labelling of all windows, then sites sorted by cluster, and sums and extremes of each run of them."""
    within = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))
    labels, _ = ndimage.label(counts > 0, structure=within)
    at = np.nonzero(labels)
    order = np.argsort(labels[at], kind="stable")
    of_cluster = labels[at][order]
    sequence, layer, token = (each[order] for each in at)
    starts = np.flatnonzero(np.diff(of_cluster, prepend=0))
    least, most = ([extreme.reduceat(each, starts) for each in (token, layer)] for extreme in (np.minimum, np.maximum))
    first = np.minimum.reduceat((sequence * counts.shape[2] + token) * counts.shape[1] + layer, starts)
    sizes = np.add.reduceat(counts[at][order].astype(np.int64), starts)
    areas = np.diff(starts, append=len(order))
    rows = np.column_stack([sequence[starts], sizes, areas, least[0], most[0], least[1], most[1]])
    return rows[np.argsort(first)]


@njit(cache=False)
def numba_avalanches(counts: Array) -> Array:
    """Union-find over sites in order of tokens; the lower root wins, so roots come in the order that is asked for."""
    sequences, layers, tokens = counts.shape
    rows = np.empty((np.count_nonzero(counts), 7), np.int64)
    parent, place = np.empty(layers * tokens, np.int64), np.empty(layers * tokens, np.int64)
    found = 0
    for s in range(sequences):
        for i in range(layers * tokens):
            t, layer = i // layers, i % layers
            if counts[s, layer, t] == 0:
                continue
            parent[i] = i
            for back in (1, layers):
                if (back == 1 and layer == 0) or (back == layers and t == 0):
                    continue
                j = i - back
                if counts[s, j % layers, j // layers] == 0:
                    continue
                a, b = i, j
                while parent[a] != a:
                    parent[a] = parent[parent[a]]
                    a = parent[a]
                while parent[b] != b:
                    parent[b] = parent[parent[b]]
                    b = parent[b]
                parent[max(a, b)] = min(a, b)
        for i in range(layers * tokens):
            t, layer = i // layers, i % layers
            if counts[s, layer, t] == 0:
                continue
            root = i
            while parent[root] != root:
                root = parent[root]
            if root == i:
                place[i] = found
                rows[found] = np.array([s, 0, 0, t, t, layer, layer])
                found += 1
            row = rows[place[root]]
            row[1] += counts[s, layer, t]
            row[2] += 1
            row[4] = t
            row[5], row[6] = min(row[5], layer), max(row[6], layer)
    return rows[:found]


def our_avalanches(counts: Array, seq_id: Array) -> Array:
    found = find_avalanches(counts, seq_id, Adjacency.ADJ_4N)
    return np.column_stack(
        [found.seq_id, found.size, found.area, found.t_min, found.t_max, found.l_min, found.l_max]
    ).astype(np.int64)


def avalanches(counts: Array, seq_id: Array) -> Piece:
    ours = our_avalanches(counts, seq_id)
    assert np.array_equal(ours, scipy_avalanches(counts))
    assert np.array_equal(ours, numba_avalanches(counts))
    few = counts[:FEW].tolist()
    assert np.array_equal(ours[ours[:, 0] < FEW], plain_avalanches(few))
    works: Works = {
        "critnb": lambda: find_avalanches(counts, seq_id, Adjacency.ADJ_4N),
        "numba, union-find": lambda: numba_avalanches(counts),
        "scipy label, numpy sort and reduceat": lambda: scipy_avalanches(counts),
        "scipy label alone": lambda: ndimage.label(counts > 0),
        "plain Python": lambda: plain_avalanches(few),
    }
    return Piece("avalanches, 4 neighbours", works, per_site(works, counts.size), "ns a site")


def per_site(works: Mapping[str, object], size: int, replicates: int = 1) -> dict[str, int]:
    few = size // SEQUENCES * FEW
    return {name: few if name.startswith("plain") else size * replicates for name in works}


# -- branching: pairs and eligible sites per window


def numpy_sums(occupied: Array) -> tuple[Array, ...]:
    return (
        (occupied[..., :-1] & occupied[..., 1:]).sum((-2, -1)),
        occupied[..., :-1].sum((-2, -1)),
        (occupied[..., :-1, :] & occupied[..., 1:, :]).sum((-2, -1)),
        occupied[..., :-1, :].sum((-2, -1)),
    )


@njit(cache=False)
def numba_sums(counts: Array) -> Array:
    sequences, layers, tokens = counts.shape
    sums = np.zeros((4, sequences), np.int64)
    for s in range(sequences):
        for layer in range(layers):
            for t in range(tokens):
                here = counts[s, layer, t] > 0
                if t < tokens - 1:
                    sums[0, s] += here & (counts[s, layer, t + 1] > 0)
                    sums[1, s] += here
                if layer < layers - 1:
                    sums[2, s] += here & (counts[s, layer + 1, t] > 0)
                    sums[3, s] += here
    return sums


def plain_sums(plane: list[list[int]]) -> tuple[int, int, int, int]:
    time_pairs = time_sites = depth_pairs = depth_sites = 0
    for layer, row in enumerate(plane):
        for token, site in enumerate(row):
            if site and token < len(row) - 1:
                time_sites += 1
                time_pairs += row[token + 1] > 0
            if site and layer < len(plane) - 1:
                depth_sites += 1
                depth_pairs += plane[layer + 1][token] > 0
    return time_pairs, time_sites, depth_pairs, depth_sites


def branching(counts: Array) -> Piece:
    ours = np.stack(list(branching_sums(counts).arrays().values()))
    few = counts[:FEW].tolist()
    assert np.array_equal(ours, numpy_sums(counts > 0))
    assert np.array_equal(ours, numba_sums(counts))
    assert np.array_equal(ours[:, :FEW].T, [plain_sums(plane) for plane in few])
    works: Works = {
        "critnb, bits": lambda: branching_sums(counts),
        "numba, one loop": lambda: numba_sums(counts),
        "numpy, booleans": lambda: numpy_sums(counts > 0),
        "plain Python": lambda: [plain_sums(plane) for plane in few],
    }
    return Piece("branching sums of a raster", works, per_site(works, counts.size), "ns a site")


# -- nulls: replicates drawn and counted


def drawn_sums(draw: Callable[[Array, np.random.Generator], Array], occupied: Array) -> Array:
    rng = np.random.default_rng(1)
    return np.stack([np.stack(numpy_sums(draw(occupied, rng))) for _ in range(REPLICATES)])


def permuted_by_row(occupied: Array, rng: np.random.Generator) -> Array:
    drawn = np.empty_like(occupied)
    for s in range(len(occupied)):
        for layer in range(occupied.shape[1]):
            drawn[s, layer] = rng.permutation(occupied[s, layer])
    return drawn


def permuted_at_once(occupied: Array, rng: np.random.Generator) -> Array:
    return rng.permuted(occupied, axis=-1)


def permuted_by_sorting(occupied: Array, rng: np.random.Generator) -> Array:
    return np.take_along_axis(occupied, rng.random(occupied.shape).argsort(-1), -1)


def rolled_by_row(occupied: Array, rng: np.random.Generator) -> Array:
    drawn = np.empty_like(occupied)
    for s in range(len(occupied)):
        for layer in range(occupied.shape[1]):
            drawn[s, layer] = np.roll(occupied[s, layer], rng.integers(1, occupied.shape[2]))
    return drawn


def rolled_by_index(occupied: Array, rng: np.random.Generator) -> Array:
    tokens = occupied.shape[2]
    offset = rng.integers(1, tokens, occupied.shape[:2])[..., None]
    return np.take_along_axis(occupied, (np.arange(tokens) - offset) % tokens, -1)


@njit(cache=False)
def numba_permuted(occupied: Array, replicates: int, seed: int) -> Array:
    """Fisher and Yates's shuffle of every row, then the four sums, all in one loop."""
    np.random.seed(seed)
    sums = np.empty((replicates, 4, len(occupied)), np.int64)
    drawn = occupied.copy()
    for r in range(replicates):
        for s in range(drawn.shape[0]):
            for layer in range(drawn.shape[1]):
                np.random.shuffle(drawn[s, layer])
        sums[r] = numba_sums(drawn)
    return sums


@njit(cache=False)
def numba_rolled(occupied: Array, replicates: int, seed: int) -> Array:
    np.random.seed(seed)
    sums = np.empty((replicates, 4, len(occupied)), np.int64)
    drawn, tokens = np.empty_like(occupied), occupied.shape[2]
    for r in range(replicates):
        for s in range(drawn.shape[0]):
            for layer in range(drawn.shape[1]):
                by = np.random.randint(1, tokens)
                drawn[s, layer, by:] = occupied[s, layer, : tokens - by]
                drawn[s, layer, :by] = occupied[s, layer, tokens - by :]
        sums[r] = numba_sums(drawn)
    return sums


def our_null(counts: Array, seq_id: Array, null_id: NullId) -> Array:
    sums = null_branching(counts, seq_id, null_id, replicates=range(REPLICATES), **STREAM)
    return np.stack(list(sums.arrays().values()), axis=1)


def expected_under_shift(occupied: Array) -> Array:
    """Means over all offsets: a row keeps its circular pairs but one place, rows meet uniformly unless they shift alike."""
    tokens = occupied.shape[-1]
    circular = (occupied & np.roll(occupied, -1, -1)).sum((-2, -1))
    seam = (occupied & np.roll(occupied, -1, -1))[..., :-1].sum((-2, -1))  # the seam is at one of T-1 inner places
    k = occupied.sum(-1)
    last = (k - occupied[..., -1]).sum(-1) / (tokens - 1)
    overlap = [
        [
            # offsets i, j in 1..T-1: T-1 of the (T-1)^2 pairs shift alike, every other difference has T-2 of them
            ((np.int64(a.sum()) * b.sum() - (a & b).sum()) * (tokens - 2) + (a & b).sum() * (tokens - 1))
            / (tokens - 1) ** 2
            for a, b in pairwise(window)
        ]
        for window in occupied
    ]
    depth = np.sum(overlap, axis=1)
    return np.stack([circular - seam / (tokens - 1), k.sum(-1) - last, depth, k[:, :-1].sum(-1)])


def check_means(sums: Array, expected: Array, name: str) -> None:
    """The totals over windows, averaged over replicates, lie within six standard errors of what is known."""
    total = sums.sum(axis=-1)
    error = total.std(axis=0, ddof=1) / np.sqrt(len(total))
    off = np.abs(total.mean(axis=0) - expected.sum(axis=-1))
    assert (off <= 6 * error + 1e-6 * expected.sum(axis=-1)).all(), (name, off, error)


def null(title: str, counts: Array, expected: Array, rivals: Mapping[str, Callable[[], Any]]) -> Piece:
    for name, draw in rivals.items():
        check_means(draw(), expected, name)
    return Piece(title, rivals, per_site(rivals, counts.size, REPLICATES), "ns a site and replicate")


def permutation_null(counts: Array, seq_id: Array) -> Piece:
    occupied = counts > 0
    expected = np.stack(list(expected_under_permutation(counts).arrays().values()))
    rivals = {
        "critnb": lambda: our_null(counts, seq_id, PERM),
        "numba, shuffle and one loop": lambda: numba_permuted(occupied, REPLICATES, 1),
        "numpy, Generator.permuted": lambda: drawn_sums(permuted_at_once, occupied),
        "numpy, argsort of random numbers": lambda: drawn_sums(permuted_by_sorting, occupied),
        "numpy, permutation row by row": lambda: drawn_sums(permuted_by_row, occupied),
    }
    return null("permutation null, drawn and counted", counts, expected, rivals)


def shift_null(counts: Array, seq_id: Array) -> Piece:
    occupied = counts > 0
    rivals = {
        "critnb": lambda: our_null(counts, seq_id, SHIFT),
        "numba, copies and one loop": lambda: numba_rolled(occupied, REPLICATES, 1),
        "numpy, one index for all rows": lambda: drawn_sums(rolled_by_index, occupied),
        "numpy, roll row by row": lambda: drawn_sums(rolled_by_row, occupied),
    }
    return null("circular-shift null, drawn and counted", counts, expected_under_shift(occupied), rivals)


# -- thresholds: the cut that lets k of all values of a layer through


def thresholds() -> Piece:
    """Float64 scores that stream by in batches; rivals get the whole layer at once, which we never hold."""
    batches, size, k = 64, 32 * 1536, 3000
    scores = np.random.default_rng(3).standard_normal((batches, size))
    sites, whole = np.arange(size), scores.ravel()
    in_torch = torch.from_numpy(whole)

    def ours() -> float:
        largest = LargestValues(k + 1)
        for batch in scores:
            wanted = np.flatnonzero(batch >= largest.bound)
            largest.add(batch[wanted], sites[wanted])
        return largest.threshold(k)

    works: Works = {
        "critnb, streamed": ours,
        "numpy partition, whole": lambda: float(np.partition(whole, len(whole) - 1 - k)[len(whole) - 1 - k]),
        "numpy sort, whole": lambda: float(np.sort(whole)[len(whole) - 1 - k]),
        "torch topk, whole": lambda: float(torch.topk(in_torch, k + 1).values[-1]),
        "torch kthvalue, whole": lambda: float(torch.kthvalue(in_torch, len(whole) - k).values),
    }
    assert len({work() for work in works.values()}) == 1
    return Piece("threshold of a layer", works, dict.fromkeys(works, len(whole)), "ns a value")


# -- tails: the scan over every xmin


def numpy_scan(sample: Array, xmax: int, min_tail: int) -> tuple[int, float, float]:
    """Every xmin in turn: the largest likelihood on xmin..xmax, then the distance over all these integers."""
    ordered, best = np.sort(sample), (0, np.nan, np.inf)
    for xmin in np.unique(ordered):
        tail = ordered[np.searchsorted(ordered, xmin) :]
        if len(tail) < min_tail or tail[0] == tail[-1]:
            continue
        k = np.arange(xmin, xmax + 1)
        logs, mean_log = np.log(k), np.log(tail).mean()
        found = optimize.minimize_scalar(
            lambda a, logs=logs, mean=mean_log: a * mean + special.logsumexp(-a * logs), bounds=(0.1, 20),
            method="bounded", options={"xatol": 1e-8},
        )  # fmt: skip
        share = np.exp(-found.x * logs)
        law = np.cumsum(share) / share.sum()
        distance = np.abs(np.searchsorted(tail, k, side="right") / len(tail) - law).max()
        if distance < best[2]:
            best = (int(xmin), float(found.x), float(distance))
    return best


def tail_scan() -> Piece:
    xmax, few = 768, 10
    sample = discrete_power_law(1.9, 5_000, xmax=xmax, seed=1)
    ours, theirs = scan_xmin(Histogram.of(sample), xmax=xmax, min_tail=few), numpy_scan(sample, xmax, few)
    assert ours.xmin == theirs[0]
    assert np.allclose([ours.alpha, ours.distance], theirs[1:], rtol=1e-5)
    works: Works = {
        "critnb": lambda: scan_xmin(Histogram.of(sample), xmax=xmax, min_tail=few),
        "numpy and scipy, one xmin at a time": lambda: numpy_scan(sample, xmax, few),
    }
    return Piece("power law of 5000 values on 1..768, every xmin", works, dict.fromkeys(works, 1000), "us a scan")


# -- bootstrap: b_tot of resampled sequences


def plain_bootstrap(sums: list[list[int]], weights: list[list[int]]) -> list[float]:
    found = []
    for drawn in weights:
        total = [sum(w * row[i] for w, row in zip(drawn, sums, strict=True)) for i in range(4)]
        found.append(total[0] / total[1] + total[2] / total[3])
    return found


def bootstrap(counts: Array) -> Piece:
    sums, resamples = branching_sums(counts), CANON.CONST.BOOTSTRAP_REPS
    columns = np.stack(list(sums.arrays().values()), axis=1)
    weights = multinomial_weights(SEQUENCES, resamples, seed=1)
    picks = [np.repeat(np.arange(SEQUENCES), row) for row in weights]

    def loop() -> Array:
        totals = np.array([columns[pick].sum(axis=0) for pick in picks])
        return totals[:, 0] / totals[:, 1] + totals[:, 2] / totals[:, 3]

    def gathered() -> Array:
        totals = columns[np.array(picks)].sum(axis=1)
        return totals[:, 0] / totals[:, 1] + totals[:, 2] / totals[:, 3]

    ours, few = sums.weighted(weights).b_tot, weights[:50].tolist()
    assert np.allclose(ours, loop(), rtol=1e-14)
    assert np.allclose(ours, gathered(), rtol=1e-14)
    assert np.allclose(ours[:50], plain_bootstrap(columns.tolist(), few), rtol=1e-14)
    works: Works = {
        "critnb, one matrix of weights": lambda: sums.weighted(weights).b_tot,
        "numpy, all resamples gathered": gathered,
        "numpy, loop over resamples": loop,
        "plain Python": lambda: plain_bootstrap(columns.tolist(), few),
    }
    units = {name: 50 if name.startswith("plain") else resamples for name in works}
    return Piece("bootstrap of b_tot, resamples known", works, units, "ns a resample")


def report(piece: Piece, found: Mapping[str, Spread]) -> None:
    print(f"\n{piece.title + ', ' + piece.unit:58}{'median':>10}{'least':>10}{'most':>10}{'of ours':>9}")
    names = list(found)
    ours = found[names[0]].median / piece.units[names[0]]
    for name, spread in found.items():
        values = [value / piece.units[name] * 1e9 for value in (spread.median, spread.least, spread.most)]
        ratio = f"{values[0] / (ours * 1e9):8.2f}x"
        print(f"  {name:56}" + "".join(f"{value:10.2f}" for value in values) + ratio, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    counts = bernoulli(DENSITY, (SEQUENCES, LAYERS, TOKENS), seed=1).astype(np.uint16)
    seq_id = np.arange(SEQUENCES, dtype=np.int32)
    print(machine("torch"))
    print(f"raster {SEQUENCES} x {LAYERS} x {TOKENS}, density {DENSITY}; processor time, {repeats} repeats in turn")
    print("equal output was asserted before every timing; 'of ours' above 1: slower than critnb")
    for piece in (
        avalanches(counts, seq_id),
        branching(counts),
        permutation_null(counts, seq_id),
        shift_null(counts, seq_id),
        thresholds(),
        tail_scan(),
        bootstrap(counts),
    ):
        report(piece, in_turn(piece.works, repeats))


if __name__ == "__main__":
    main()
