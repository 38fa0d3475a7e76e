"""KV that outlives a preemption: the queue of free blocks, and what the engine makes of it."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AFFINE, random_workload, seeds
from laws import assert_exact

from orsched import Chunk, Fleet, Hardware, Plan, Policy, Workload, simulate
from orsched.engine.retained import RetainedKV
from orsched.errors import PlanError
from policies.vllm_v0 import vllm_v0
from policies.vllm_v1 import vllm_v1


class BlockByBlock:
    """What `RetainedKV` stands for: every free block on its own, labelled with what it still holds."""

    def __init__(self, blocks, size):
        self.size, self.free_blocks = size, deque([None] * blocks)

    def keep(self, request, tokens, blocks):
        for index in reversed(range(blocks)):
            self.free_blocks.append((request, index) if (index + 1) * self.size <= tokens else None)

    def take(self, blocks):
        for _ in range(blocks):
            self.free_blocks.popleft()

    def tokens_of(self, request, most, taken=0):
        blocks, left = 0, list(self.free_blocks)[taken:]
        while (request, blocks) in left and (blocks + 1) * self.size <= most:
            blocks += 1
        return blocks * self.size

    def claim(self, request, tokens):
        for index in range(tokens // self.size):
            self.free_blocks.remove((request, index))
        self.free_blocks = deque(None if b and b[0] == request else b for b in self.free_blocks)


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.sampled_from([1, 4, 16]))
def test_runs_of_blocks_behave_like_single_blocks(seed, size):
    """Claim: after any sequence of operations the same prefixes are retained as with a list of single blocks."""
    rng = np.random.default_rng(seed)
    capacity = int(rng.integers(5, 40))
    fast, slow = RetainedKV(capacity, size), BlockByBlock(capacity, size)
    resident: dict[int, int] = {}
    for request in range(40):
        waiting = int(rng.integers(0, request + 1))
        if waiting not in resident:
            most = int(rng.integers(0, capacity * size))
            kept = waiting in fast
            tokens = fast.tokens_of(waiting, most) if kept else 0
            assert tokens == slow.tokens_of(waiting, most)
            taken = int(rng.integers(0, capacity))
            assert (fast.tokens_of(waiting, most, taken) if kept else 0) == slow.tokens_of(waiting, most, taken)
            blocks = tokens // size + int(rng.integers(0, 4))
            if blocks <= len(slow.free_blocks) and blocks:
                assert fast.claim(waiting, tokens) == tokens // size
                slow.claim(waiting, tokens)
                for queue in (fast, slow):
                    queue.take(blocks - tokens // size)
                resident[waiting] = blocks
        if resident and rng.random() < 0.5:
            leaver = int(rng.choice(list(resident)))
            blocks = resident.pop(leaver)
            tokens = int(rng.integers(0, blocks * size + 1))
            if rng.random() < 0.3:
                fast.free(blocks)
                slow.keep(leaver, 0, blocks)
            else:
                fast.keep(leaver, tokens, blocks)
                slow.keep(leaver, tokens, blocks)
        fast.check_integrity(len(slow.free_blocks))


def test_a_preempted_request_recomputes_only_what_was_overwritten():
    """Claim: by hand. Memory of 4 blocks of 10; two requests of 15 + 12 tokens collide at 20 cached tokens each.

    Request 1 is preempted holding 20 tokens in 2 blocks. Request 0 then takes one of these, the last. When it is done,
    request 1 reuses 10 tokens and recomputes the rest.
    """
    work = Workload.of([0.0, 0.0], [15, 15], [12, 12])
    hw = Hardware("tiny", AFFINE, 40, 4, 10)
    runs = [
        simulate(work, Fleet.identical(replace(hw, keeps_preempted_kv=keeps)), vllm_v1(40, 4), check=True)
        for keeps in (False, True)
    ]
    assert [run.preemptions.tolist() for run in runs] == [[0, 1], [0, 1]]
    assert runs[0].completion_s[0] == runs[1].completion_s[0]
    saved = runs[0].completion_s[1] - runs[1].completion_s[1]
    assert saved == pytest.approx(10 * AFFINE.prompt_token_s)


def test_retention_saves_the_same_work_for_every_policy():
    """Claim: a policy that knows nothing of retention recomputes less too: by hand, as above, prompts in one piece."""
    work = Workload.of([0.0, 0.0], [15, 15], [12, 12])
    hw = Hardware("tiny", AFFINE, 40, 4, 10)
    runs = [
        simulate(work, Fleet.identical(replace(hw, keeps_preempted_kv=keeps)), vllm_v0(), check=True)
        for keeps in (0, 1)
    ]
    assert runs[1].preemptions.tolist() == [0, 1]
    saved = runs[0].completion_s[1] - runs[1].completion_s[1]
    assert saved == pytest.approx(10 * AFFINE.prompt_token_s)


@settings(max_examples=60)
@given(seeds, st.sampled_from([1, 4, 16]), st.integers(10, 60))
def test_retention_keeps_the_law_and_the_books(seed, block, budget):
    """Claim: with retention, epochs equal single iterations, and the queue of free blocks equals the ledger's count."""
    rng = np.random.default_rng(seed)
    fleet = Fleet.identical(Hardware("tight", AFFINE, int(rng.integers(420, 900)), 20, block, keeps_preempted_kv=True))
    workload = random_workload(seed)
    assert_exact(workload, fleet, vllm_v1(budget, 10))
    simulate(workload, fleet, vllm_v1(budget, 10), check=True)


@pytest.mark.parametrize("keeps", [False, True])
def test_reusing_what_is_not_retained_is_refused(keeps):
    """Claim: a plan that reuses KV which nobody kept stops the run and says so."""
    hw = Hardware("tiny", AFFINE, 400, 4, 10, keeps_preempted_kv=keeps)

    def batch(view):
        return Plan((Chunk(next(iter(view.waiting)), 5, 0, 0, 10),)) if view.waiting else Plan()

    with pytest.raises(PlanError, match="cannot reuse 10 tokens"):
        simulate(Workload.of([0.0], [15], [3]), Fleet.identical(hw), Policy("greedy", batch))


def readmitting(chunk):
    """Preempt request 0 once with 9 tokens cached (8 retained in blocks of 4), then come back with `chunk`."""

    def batch(view):
        if view.memo.get("back"):
            left = view.prefilling.get(0)
            return Plan((Chunk(0, view.prompt_left(0)),)) if left is not None else Plan()
        if 0 in view.running and view.cached_tokens(0) == 9:
            view.memo["back"] = True
            return Plan(preempt=(0,), decode=(), until_s=view.now_s + 0.5)
        if view.memo.get("back") is None and view.waiting:
            return Plan((Chunk(0, view.prompt_tokens[0]),))
        return Plan(max_steps=1)

    def returning(view):
        if view.memo.get("back") and view.waiting:
            return Plan((chunk,))
        return batch(view)

    return Policy("readmitting", returning)


RETAINING = Fleet.identical(Hardware("tiny", AFFINE, 400, 4, 4, keeps_preempted_kv=True))


@pytest.mark.parametrize(
    ("chunk", "processed"), [(Chunk(0, 10), 2), (Chunk(0, 2, 0, 0, 8), 2), (Chunk(0, 10, 0, 0, 0), 10)]
)
def test_reuse_is_what_the_plan_says(chunk, processed):
    """Claim: left open, all that is retained is skipped; stated, that much is; and 0 means 0."""
    run = simulate(Workload.of([0.0], [6], [8]), RETAINING, readmitting(chunk), check=True)
    plain = simulate(Workload.of([0.0], [6], [8]), RETAINING, readmitting(Chunk(0, 10, 0, 0, 0)))
    saved = plain.completion_s[0] - run.completion_s[0]
    assert saved == pytest.approx((10 - processed) * AFFINE.prompt_token_s)


@pytest.mark.parametrize("tokens", [0, -3])
def test_empty_chunks_are_refused_where_kv_is_retained(tokens):
    """Claim: a chunk of no tokens is an error also if part of the request is still cached."""
    with pytest.raises(PlanError, match=f"a chunk of {tokens} tokens"):
        simulate(Workload.of([0.0], [6], [8]), RETAINING, readmitting(Chunk(0, tokens)))
