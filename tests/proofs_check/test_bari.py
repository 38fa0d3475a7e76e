"""Tiles, by hand."""

import numpy as np
import pytest

from proofs_check.bari_rad import EXAMPLE, rate_slack, requests_per_s, tile_slack, tiled
from proofs_check.models.token_queue import rad


def test_the_example_by_hand():
    """Claim: 128 tokens per 4640 us are 27,586 per second, 36.3 requests of 760."""
    assert requests_per_s(EXAMPLE) == pytest.approx(27_586 / 760, rel=1e-4)
    time = tiled(128, 4_000, 5)
    assert [time(n) for n in (1, 128, 129)] == [4_005, 4_640, 8_645]


def test_rad_modes():
    """Claim: one tile of the oldest prompt until a tile of requests decodes or none is left to prefill."""
    assert rad(np.array([0, 4, 4]), np.array([1, 1, 1]), 2).tolist() == [0, 2, 0]
    assert rad(np.array([0, 0, 4]), np.array([1, 1, 1]), 2).tolist() == [1, 1, 0]
    assert rad(np.array([0, 0]), np.array([5, 1]), 4).tolist() == [1, 1]


def test_a_full_node_has_no_slack():
    """Claim: two requests decoded together fill every tile of 2; one alone leaves half of most."""
    full = {
        "tile": 2, "tile_time": 3, "token_time": 1, "budget": 2, "nodes": 1, "scheduler": "rad",
        "arrivals": [0, 0], "prefill": [2, 2], "decode": [3, 3], "node": [0, 0],
    }  # fmt: skip
    assert rate_slack(full) == pytest.approx(0)
    assert tile_slack(full) == 0
    assert rate_slack({**full, "arrivals": [0], "prefill": [2], "decode": [3], "node": [0]}) > 0.2


def test_a_prompt_that_is_no_whole_tile_leaves_one_unfilled():
    """Claim: 3 tokens in tiles of 2, another prompt waiting behind: a batch of one token."""
    x = {"tile": 2, "tile_time": 3, "token_time": 1, "arrivals": [0, 0], "prefill": [3, 2], "decode": [2, 2]}
    assert tile_slack(x) == -1
