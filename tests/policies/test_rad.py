"""RAD: its two modes, optimal tiling, and the token rate of its batch-time model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, random_workload, seeds, tight_hardware

from orsched import Fleet, Hardware, Workload, simulate
from orsched.errors import InputError
from orsched.policy import Policy
from orsched.service import Affine, PiecewiseLinear
from policies.rad import TiledModes, rad

TILE, PASS_S, TOKEN_S = 128, 4000e-6, 5e-6
"""The third-party model of the paper's node: 4,000 us for each tile of 128 tokens, 5 us for each token."""


class Tiled(Affine):
    """Batch time (7) of the paper without attention: passes over tiles, and operations per token."""

    __slots__ = ()

    def iteration_s(self, batch):
        tokens = batch.prompt_tokens + batch.num_seqs
        return PASS_S * -(-tokens // TILE) + TOKEN_S * tokens

    def decode_curve(self, num_seqs):
        return PiecewiseLinear([PASS_S * -(-num_seqs // TILE) + TOKEN_S * num_seqs], [0.0])


NODE = Fleet.identical(Hardware("node", Tiled(PASS_S, TOKEN_S, TOKEN_S, 0.0), 10**7, 256))


def node_workload(rate_per_s, seed, seconds):
    """Arrivals and lengths of the third-party program: prompts of 1 to 8 tiles, outputs exponential up to 512."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(rate_per_s * seconds)
    outputs = np.minimum(np.floor(rng.exponential(200, n)).astype(int) + 1, 512)
    return Workload.of(np.sort(rng.uniform(0, seconds, n)), TILE * rng.integers(1, 9, n), outputs)


def watched(batcher, seen):
    """The policy, noting prompt tokens, decodes and requests present of every plan."""

    def plan(view):
        decided = batcher(view)
        decodes = view.num_running - len(view.prefilling) if decided.decode is None else 0
        present = view.num_running + len(view.waiting)
        seen.append((sum(chunk.tokens for chunk in decided.prefill), decodes, present))
        return decided

    return Policy("watched", plan)


@pytest.mark.parametrize("rate", [20.0, 30.0])
def test_every_batch_fills_its_tile(rate):
    """Claim: with prompts of whole tiles each iteration has 128 tokens, or decodes everybody present; at most 128
    decode; prompts and decodes never mix. At 20 and 30 requests/s, of about 36 that the node can do, nearly all are
    done when arrivals end after 100 s (the third-party runs: 1,987 of 2,013, and 2,971 of 3,000)."""
    seen = []
    work = node_workload(rate, 1, seconds=100.0)
    run = simulate(work, NODE, watched(TiledModes(), seen))
    for prompt, decodes, present in seen:
        assert prompt == 0 or decodes == 0
        assert decodes <= TILE
        assert prompt + decodes == TILE or (prompt == 0 and decodes == present)
    assert (run.completion_s <= work.arrival_s[-1]).mean() > 0.97


def test_no_more_tokens_than_whole_tiles_allow():
    """Claim: above capacity a node serves 128 tokens in 4,640 us and no more, Theorem 1's rate, until fewer than 128
    requests are left; their at most 512 iterations are all that RAD loses."""
    work = node_workload(60.0, 2, seconds=30.0)
    run = simulate(work, NODE, rad())
    tokens = (work.input_tokens + work.output_tokens - 1).sum()
    full_s = PASS_S + TILE * TOKEN_S
    assert tokens * full_s / TILE <= run.busy_s[0] <= (tokens / TILE + 512) * full_s


def test_modes_by_hand():
    """Claim: 1 s an iteration, tile 2. Requests of prompt 4, 2 and 2 tokens at 0: prompts take 2 + 1 iterations before
    anybody decodes, since two requests then decode; the third starts when one of them is done."""
    fleet = Fleet.identical(Hardware("seconds", Affine(1.0, 0.0, 0.0, 0.0), 1000, 8))
    work = Workload.of([0.0, 0.0, 0.0], [4, 2, 2], [3, 2, 2])
    run = simulate(work, fleet, rad(2, 2))
    assert run.first_token_s.tolist() == [2.0, 3.0, 5.0]
    # Both decode at 4, the second is done; then the third is prefilled, and the other two decode.
    assert run.completion_s.tolist() == [6.0, 4.0, 6.0]


def test_a_chunk_is_filled_up_from_the_next_prompts():
    """Claim: prompts of 3 and 5 with chunks of 4 take two iterations, not three: the first holds 3 and 1 tokens."""
    fleet = Fleet.identical(Hardware("seconds", Affine(1.0, 0.0, 0.0, 0.0), 1000, 8))
    run = simulate(Workload.of([0.0, 0.0], [3, 5], [1, 1]), fleet, rad(4, 4))
    assert run.completion_s.tolist() == [1.0, 2.0]


@settings(max_examples=80)
@given(st.sampled_from([(1, 1), (3, 6), (16, 48), (128, 128)]), seeds, st.sampled_from([1, 16]))
def test_epochs_equal_single_iterations(sizes, seed, block):
    """Claim: the exactness law holds for small tiles where memory and seats bind; everybody completes."""
    work = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS["affine"], seed, block))
    fast, slow = (simulate(work, fleet, rad(*sizes), epoch_limit=limit, check=True) for limit in (None, 1))
    np.testing.assert_allclose(fast.completion_s, slow.completion_s, rtol=1e-9)
    np.testing.assert_array_equal(fast.preemptions, slow.preemptions)


@pytest.mark.parametrize(("tile", "chunk"), [(128, 200), (128, 64)])
def test_chunks_are_whole_tiles(tile, chunk):
    """Claim: a chunk that is no multiple of the tile is refused."""
    with pytest.raises(InputError, match="whole tiles"):
        rad(tile, chunk)
