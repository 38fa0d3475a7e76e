"""Prompts that share what they have in common: runs with prefix caching."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import AFFINE, build, policy_names, random_workload, seeds, services, small_variants, tight_hardware
from laws import assert_exact

from fluid import bounds
from orsched import Chunk, Fleet, Group, Hardware, Link, Plan, Policy, Role, StagedCopy, Workload, simulate, workload
from orsched.engine.actions import Migrate
from orsched.engine.pool import DECODERS, EVERY
from orsched.errors import InputError, PlanError
from orsched.faults import InstanceFault
from orsched.service import Affine
from orsched.workloads import PrefixBlocks
from policies.vllm_v0 import vllm_v0
from policies.vllm_v1 import vllm_v1


def sharing(work: Workload, block_tokens: int, seed: int, letters: int = 2) -> Workload:
    """The same requests, every prompt a random word over so few letters that many begin alike."""
    rng = np.random.default_rng(seed)
    seen: dict[tuple, int] = {}
    ids, counts = [], []
    for tokens in work.input_tokens:
        word = tuple(rng.integers(0, letters, -(-int(tokens) // block_tokens)).tolist())
        ids += [seen.setdefault(word[: i + 1], len(seen)) for i in range(len(word))]
        counts.append(len(word))
    return replace(work, prefix_blocks=PrefixBlocks.of(block_tokens, ids, counts))


def caching(hardware: Hardware) -> Hardware:
    return replace(hardware, keeps_preempted_kv=True, keeps_prefixes=True)


def conversation(turns: int = 6) -> Workload:
    """One after the other, far apart: prompts of 100, 200, ... tokens, each the beginning of the next."""
    ids = [i for turn in range(turns) for i in range(2 * turn + 2)]
    blocks = PrefixBlocks.of(50, ids, [2 * turn + 2 for turn in range(turns)])
    prompts = [100 * (turn + 1) for turn in range(turns)]
    return Workload.of(np.arange(turns) * 100.0, prompts, [5] * turns, prefix_blocks=blocks)


ONLY_PROMPTS = Affine(1e-6, 1e-3, 0.0, 0.0)
"""A second per thousand prompt tokens, and next to nothing else."""


def processed(run) -> float:
    """Prompt tokens that were processed, from the time it took."""
    return float(run.busy_s.sum() - ONLY_PROMPTS.base_s * run.iterations.sum()) / ONLY_PROMPTS.prompt_token_s


@pytest.mark.parametrize("policy", [vllm_v0(), vllm_v1(10_000, 8), vllm_v1(64, 8)], ids=["v0", "v1", "v1 in chunks"])
def test_a_conversation_processes_every_token_once(policy):
    """Claim: by hand: 600 tokens in all instead of 2,100; without caching all of them."""
    hw = Hardware("h", ONLY_PROMPTS, 10_000, 8, 10)
    run = simulate(conversation(), Fleet.single(caching(hw)), policy, check=True)
    assert processed(run) == pytest.approx(600)
    assert processed(simulate(conversation(), Fleet.single(hw), policy)) == pytest.approx(2100)


def test_a_prompt_that_is_cached_to_its_end_processes_its_last_block():
    """Claim: the last prefix block is processed again, because something has to emit the token."""
    blocks = PrefixBlocks.of(50, [0, 1, 0, 1], [2, 2])
    work = Workload.of([0.0, 50.0], [100, 100], [3, 3], prefix_blocks=blocks)
    run = simulate(work, Fleet.single(caching(Hardware("h", ONLY_PROMPTS, 1000, 8, 10))), vllm_v0(), check=True)
    assert processed(run) == pytest.approx(150)


def test_shared_memory_admits_more():
    """Claim: by hand: two requests of 100 shared and 10 own tokens run together in memory for 150, and their KV
    volume counts the shared part once."""
    blocks = PrefixBlocks.of(50, [0, 1, 2, 0, 1, 3], [3, 3])
    work = Workload.of([0.0, 1.0], [105, 105], [60, 6], prefix_blocks=blocks)
    service = Affine(0.1, 1e-3, 0.0, 0.0)

    def batch(view):
        for request in view.waiting:
            left = view.prompt_tokens[request] - view.retained_tokens(request)
            return Plan((Chunk(request, left, 0, 0, view.retained_tokens(request)),))
        return Plan()

    fleet = Fleet.single(caching(Hardware("h", service, 190, 8, 5)))
    run = simulate(work, fleet, Policy("greedy", batch), check=True)
    assert run.preemptions.sum() == 0
    assert run.completion_s[1] < run.completion_s[0]
    assert run.kv_token_s[0] <= 190 * (run.completion_s.max() - run.arrival_s[0])
    with pytest.raises(PlanError, match="does not fit"):
        simulate(replace(work, prefix_blocks=None), fleet, Policy("greedy", batch), check=True)


@settings(max_examples=80, deadline=None)
@given(seeds, policy_names, services, st.sampled_from([1, 4, 16]), st.sampled_from([1, 2, 5]))
def test_every_policy_keeps_the_law_and_the_books(seed, name, service, block, times):
    """Claim: with shared prefixes every policy serves everybody, epochs equal single iterations, and shared blocks are
    booked once."""
    hw = caching(tight_hardware(service, seed, block))
    work = sharing(random_workload(seed, 40), block * times * (1 if block > 1 else 8), seed)
    policy = build(name, replace(work, prefix_blocks=None), Fleet.single(hw))
    if policy is not None:
        assert_exact(work, Fleet.single(hw), policy)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(small_variants()), st.sampled_from([1, 4, 16]))
def test_small_budgets_keep_the_law(seed, policy, block):
    """Claim: the same where chunks, batches and memory are so small that everything happens all the time."""
    work = sharing(random_workload(seed, 40), 16, seed)
    assert_exact(work, Fleet.single(caching(Hardware("tight", AFFINE, 420, 20, block))), policy)


def where_most_is_cached(view, request, /):
    """Route to the instance that has most of the prompt, ties to the fewest requests."""
    return min(view.members(), key=lambda i: (-view.cached_prefix_tokens(i, request), view.in_system(i)))


def wandering(every_s: float) -> Policy:
    """Requests go where their prefix is, and now and then one that decodes moves."""

    def control(view):
        for source in view.members(DECODERS):
            for request in view.decoding(source):
                target = int(view.rng.integers(view.size))
                if target != source and target in view.members(EVERY) and view.rng.random() < 0.2:
                    return [Migrate(request, target)]
        return []

    return replace(vllm_v1(100, 8), route=where_most_is_cached, control=control, control_every_s=every_s)


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from([1, 4, 16]), st.sampled_from([1e5, 1e7, np.inf]), st.integers(0, 2))
def test_fleets_keep_the_law_and_the_books(seed, block, speed, stages):
    """Claim: hand-offs, migrations and a death leave every ledger and cache exact, and epochs equal iterations."""
    rng = np.random.default_rng(seed)
    hw = caching(Hardware("h", AFFINE, int(rng.integers(600, 2000)), 12, block, kv_bytes_per_token=10.0))
    link = Link(float(speed), 1e-3)
    groups = (Group(hw, 2, Role.PREFILL, link=link), Group(hw, 2, Role.DECODE, link=link), Group(hw, 1, link=link))
    fleet = Fleet(groups, StagedCopy(stages=stages))
    work = sharing(random_workload(seed, 40), 16, seed)
    faults = (InstanceFault(float(work.arrival_s[20]), int(rng.integers(5)), 1.0),)
    runs = [
        simulate(work, fleet, wandering(0.37), seed=3, check=True, faults=faults, epoch_limit=limit)
        for limit in (None, 1)
    ]
    for column in ("first_token_s", "completion_s", "kv_token_s", "busy_s"):
        np.testing.assert_allclose(getattr(runs[0], column), getattr(runs[1], column), rtol=1e-9, atol=1e-12)
    assert np.isfinite(runs[0].completion_s).all()


def found_in_turn(work: Workload) -> int:
    """Tokens of filled blocks that an earlier request had, one token of every prompt left over; by sets."""
    blocks, seen, tokens = work.prefix_blocks, set(), 0
    for request, length in enumerate(work.input_tokens.tolist()):
        ids = blocks.of_request(request)[: length // blocks.block_tokens]
        hits = next((i for i, block in enumerate(ids) if block not in seen), len(ids))
        tokens += blocks.block_tokens * min(hits, (length - 1) // blocks.block_tokens)
        seen.update(ids)
    return tokens


@pytest.mark.parametrize(
    ("name", "share_of_filled_blocks"), [("mooncake-conversation", "36.5%"), ("mooncake-synthetic", "65.9%")]
)
def test_hits_on_the_mooncake_traces(name, share_of_filled_blocks):
    """Claim: with memory without limit, one request after the other, the engine reuses exactly what was there: the
    README's share of the blocks that prompts fill, within 0.1 points for prompts that are cached to their end."""
    work = workload(name)
    apart = work.take(np.arange(len(work)), np.arange(len(work)) * 1000.0)
    hw = caching(Hardware("endless", ONLY_PROMPTS, 10**10, 8, 16))
    run = simulate(apart, Fleet.single(hw), vllm_v0())
    saved = int(work.input_tokens.sum()) - round(processed(run))
    assert saved == found_in_turn(work)
    filled = int((work.input_tokens // 512).sum())
    assert saved / 512 / filled == pytest.approx(float(share_of_filled_blocks[:-1]) / 100, abs=1.5e-3)


def test_sharing_saves_time_on_a_fleet():
    """Claim: at the trace's own pace too, sharing saves time."""
    work = workload("mooncake-synthetic").head(300)
    service = Affine(0.005, 2e-5, 1e-5, 1e-9)
    hw = Hardware("big", service, 10**8, 256, 16)
    policy = replace(vllm_v1(8192, 256), route=where_most_is_cached)
    plain, shared = (simulate(work, Fleet.identical(h, 4), policy) for h in (hw, caching(hw)))
    assert shared.busy_s.sum() < plain.busy_s.sum()


def test_routers_see_what_is_cached_where():
    """Claim: a router finds the tokens that each instance has, also in the middle of an epoch."""
    seen = []

    def route(view, request):
        seen.append([view.cached_prefix_tokens(i, request) for i in range(view.size)])
        return request % 2

    hw = caching(Hardware("h", ONLY_PROMPTS, 10_000, 8, 10))
    simulate(conversation(4), Fleet.identical(hw, 2), replace(vllm_v0(), route=route))
    assert seen == [[0, 0], [100, 0], [100, 200], [300, 200]]


def test_blocks_that_do_not_divide_are_refused():
    """Claim: KV blocks of 16 cannot hold prefix blocks of 50."""
    with pytest.raises(InputError, match="prefix blocks of 50 tokens cannot be cached in KV blocks of 16"):
        simulate(conversation(), Fleet.single(caching(Hardware("h", AFFINE, 1600, 8, 16))), vllm_v0())


def test_hardware_that_keeps_prefixes_keeps_what_is_preempted():
    """Claim: one without the other is refused."""
    with pytest.raises(InputError, match="needs keeps_preempted_kv"):
        Hardware("h", AFFINE, 1600, keeps_prefixes=True)


def test_without_prefix_blocks_nothing_changes():
    """Claim: for a workload of which nothing is known, keeping prefixes is keeping what was preempted."""
    work = random_workload(5)
    hw = Hardware("h", AFFINE, 500, 20, 4, keeps_preempted_kv=True)
    runs = [simulate(work, Fleet.single(h), vllm_v1(40, 6), check=True) for h in (hw, caching(hw))]
    assert np.array_equal(runs[0].completion_s, runs[1].completion_s)


def test_bounds_refuse_shared_prefixes():
    """Claim: no bound is given where prompts skip what others have processed; without sharing it is as ever."""
    hw = Hardware("h", AFFINE, 10_000, 8, 10, keeps_preempted_kv=True)
    with pytest.raises(InputError, match="no bound holds on h, which keeps prefixes"):
        bounds(conversation(), Fleet.single(caching(hw)))
    plain = replace(conversation(), prefix_blocks=None)
    kept, same = (bounds(plain, Fleet.single(h)) for h in (caching(hw), hw))
    assert [bound.value for bound in kept] == [bound.value for bound in same]


def test_holders_are_those_who_have_something():
    """Claim: `prefix_holders` finds the instances that have the beginning of a prompt, and how much, by an index."""
    seen = []

    def chosen(view, request):
        every = {i: tokens for i in view.members() if (tokens := view.cached_prefix_tokens(i, request))}
        assert view.prefix_holders(request) == every
        assert list(every) == sorted(every)
        seen.append(len(every))
        return int(view.rng.choice(view.members()))

    hw = caching(Hardware("h", AFFINE, 700, 12, 4))
    for seed in range(8):
        work = sharing(random_workload(seed, 60), 16, seed)
        fault = InstanceFault(float(work.arrival_s[30]), 1, 0.5)
        simulate(work, Fleet.identical(hw, 4), replace(vllm_v1(60, 8), route=chosen), faults=(fault,))
    assert max(seen) > 1
