"""Batch tiles and RAD (Bari, Hegde, de Veciana; arXiv 2508.01002), without attention terms.

Batch time ``ceil(n / b_col) / c_Lin + n / c_nLin``. Known to us through the Lean-checked companion in the public
repository servingQ/serQ; `proofs_check.models.token_queue.rad` is RAD with an infinite cycle parameter, as there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from proofs_check.claim import Claim
from proofs_check.models.token_queue import SCHEDULERS, Ints, batches, rad
from proofs_check.rules import Always, Exhaustive, Instance

PAPER = "arXiv 2508.01002"
EXAMPLE = {"tile": 128, "tile_us": 4_000, "token_us": 5, "tokens_per_request": 760}
"""The companion's node: 128 tokens per 4000 + 5 * 128 = 4640 us, about 760 tokens per request."""


def tiled(tile: int, tile_time: int, token_time: int) -> Callable[[int], int]:
    """Batch time ``ceil(n / tile) tile_time + n token_time``."""
    return lambda tokens: tile_time * -(-tokens // tile) + token_time * tokens


def requests_per_s(example: Instance) -> float:
    """Largest rate of a node: a full tile's tokens over its time, over the tokens of a request."""
    full = example["tile_us"] + example["token_us"] * example["tile"]
    return float(1e6 * example["tile"] / full / example["tokens_per_request"])


def node(x: Instance, mine: Ints) -> tuple[Ints, Ints, Ints]:
    """Arrivals and lengths of the requests sent to one node."""
    columns = (np.array(x[name]) for name in ("arrivals", "prefill", "decode"))
    arrivals, prefill, decode = (column[mine] for column in columns)
    return arrivals, prefill, decode


def rate_slack(x: Instance) -> float:
    """``g b_col T - (t_Lin + b_col t_nLin) * tokens``: g nodes until the last is done, over the former."""
    time = tiled(x["tile"], x["tile_time"], x["token_time"])
    last = tokens = 0
    for index in range(x["nodes"]):
        mine = np.flatnonzero(np.array(x["node"]) == index)
        arrivals, prefill, decode = node(x, mine)
        tokens += int(prefill.sum() + decode.sum())
        for batch in batches(arrivals, prefill, decode, SCHEDULERS[x["scheduler"]], x["budget"], time):
            last = max(last, batch.start + time(batch.tokens))
    full = x["tile_time"] + x["tile"] * x["token_time"]
    return 1 - float(tokens * full / (x["nodes"] * x["tile"] * last))


def tile_slack(x: Instance) -> float:
    """0 when every batch fills the tile or decodes all residents, otherwise minus the tokens missing."""
    arrivals, prefill, decode = node(x, np.arange(len(x["arrivals"])))
    time = tiled(x["tile"], x["tile_time"], x["token_time"])
    run = batches(arrivals, prefill, decode, rad, x["tile"], time)
    return -float(max(0 if batch.decoders == batch.residents else x["tile"] - batch.tokens for batch in run))


def _queue(rng: np.random.Generator, tile: int) -> Instance:
    n = int(rng.integers(1, 60))
    return {
        "tile": tile,
        "tile_time": int(rng.integers(1, 60)),
        "token_time": int(rng.integers(0, 6)),
        "arrivals": np.cumsum(rng.integers(0, 60, n)).tolist(),
        "prefill": rng.integers(1, 40, n).tolist(),
        "decode": rng.integers(1, 40, n).tolist(),
    }


def random_nodes(rng: np.random.Generator) -> Instance:
    """Up to four nodes, requests sent to them at random, any scheduler and any token budget."""
    queue = _queue(rng, int(rng.integers(1, 17)))
    nodes = int(rng.integers(1, 5))
    return {
        **queue,
        "budget": int(rng.integers(1, 4 * queue["tile"] + 1)),
        "nodes": nodes,
        "node": rng.integers(nodes, size=len(queue["arrivals"])).tolist(),
        "scheduler": str(rng.choice(sorted(SCHEDULERS))),
    }


def whole_tiles(rng: np.random.Generator) -> Instance:
    """Prompts of one to four tiles."""
    queue = _queue(rng, int(rng.integers(2, 17)))
    return {**queue, "prefill": (queue["tile"] * rng.integers(1, 5, len(queue["arrivals"]))).tolist()}


def _companion(rng: np.random.Generator, seconds: int) -> Instance:
    """A path of the companion's law at 0.8 or 1.25 of what a node can carry; only its seed and backlog are kept.

    Prompts are 1 to 8 tiles, outputs 1 plus an exponential number of mean 200, at most 512; Poisson arrivals.
    """
    seed, share = int(rng.integers(2**31)), float(rng.choice([0.8, 1.25]))
    draw = np.random.default_rng(seed)
    tile, horizon = EXAMPLE["tile"], seconds * 1_000_000
    most = 100 * seconds
    prefill = tile * draw.integers(1, 9, most)
    decode = np.minimum(1 + np.floor(draw.exponential(200, most)).astype(np.int64), 512)
    mean = float(prefill.mean() + decode.mean())
    rate = share * requests_per_s({**EXAMPLE, "tokens_per_request": mean}) / 1e6
    arrivals = np.cumsum(draw.exponential(1 / rate, most)).astype(np.int64)
    arrived = served = 0
    for batch in batches(arrivals, prefill, decode, rad, tile, tiled(tile, EXAMPLE["tile_us"], EXAMPLE["token_us"])):
        if batch.start > horizon:
            break
        arrived, served = batch.arrived, batch.served
    return {"share": share, "seed": seed, "seconds": seconds, "left": (arrived - served) / arrived}


def boundary_slack(x: Instance) -> float:
    """Below the boundary 0.1 less the share of tokens left at the end, above it that share less 0.1."""
    return float(0.1 - x["left"] if x["share"] < 1 else x["left"] - 0.1)


CLAIMS = (
    Claim(
        "bari-example",
        "128 tokens per 4640 us and 760 tokens per request are about 36 requests per second",
        f"{PAPER}, example of servingQ/serQ",
        None,
        lambda x: 0.5 - abs(requests_per_s(x) - 36),
        Exhaustive(1),
        cases=lambda: [EXAMPLE],
    ),
    Claim(
        "bari-capacity",
        "g nodes complete at most g b_col tokens per t_Lin + b_col t_nLin, whatever planner and scheduler",
        f"{PAPER}, Theorem 1 (lambda d_a > g is unstable; servingQ/serQ): its pathwise content",
        random_nodes,
        rate_slack,
        Always(quick_instances=40),
    ),
    Claim(
        "bari-rad-tiles",
        "RAD's batches fill the tile or decode all residents when prompts are whole tiles",
        f"{PAPER}, optimal tiling (servingQ/serQ)",
        whole_tiles,
        tile_slack,
        Always(quick_instances=40, tolerance=0.0),
    ),
    Claim(
        "bari-rad-boundary",
        "after 60 s RAD has left at most a tenth of the tokens at 0.8 of the capacity, at least a tenth at 1.25 of it",
        f"{PAPER}, Theorems 1 and 2; law of servingQ/serQ, shares and tenth ours",
        lambda rng: _companion(rng, 60),
        boundary_slack,
        Always(16, 3, tolerance=0.0),
        quick_sample=lambda rng: _companion(rng, 40),
    ),
)
