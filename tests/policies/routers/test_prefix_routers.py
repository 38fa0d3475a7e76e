"""Prefix-aware routers: decisions by hand, and what they find in the caches of a fleet on a trace."""

import numpy as np
import pytest
from scipy import stats

from orsched import Fleet, Group, Hardware, Link, Workload, simulate, workload
from orsched.service import Affine
from orsched.workloads import PrefixBlocks
from policies import ROUTERS
from policies.routers import AIBrix, CacheAware, LinearScore, MooncakeConductor, Preble
from policies.vllm_v1 import vllm_v1

BLOCK = 10
CACHING = Hardware(
    "caching", Affine(0.1, 0.01, 0.0, 0.0), 4000, 64, BLOCK, True, True, kv_bytes_per_token=1.0
)  # 0.1 s an iteration, 0.01 s a prompt token


def prompts(*paths, arrivals, outputs):
    """Requests whose prompts are blocks of 10 tokens, and 5 more of their own."""
    number, ids = {}, []
    for path in paths:
        ids += [number.setdefault(path[: k + 1], len(number)) for k in range(len(path))]
    counts = [len(path) for path in paths]
    lengths = [BLOCK * n + 5 for n in counts]
    return Workload.of(arrivals, lengths, outputs, prefix_blocks=PrefixBlocks.of(BLOCK, ids, counts))


def last_choice(router, paths, script, arrivals, outputs=None, fleet=None):
    """What `router` says about the last request, after the others have gone where the script says."""
    work = prompts(*paths, arrivals=arrivals, outputs=outputs or [2] * len(paths))

    def scripted(view, request, /):
        return script[request] if request < len(script) else router(view, request)

    run = simulate(work, fleet or Fleet.identical(CACHING, 3), vllm_v1().routed_by(scripted), check=True)
    return run.instance[-1]


AWARE = ("lmetric", "linear", "aibrix", "cache-aware", "preble", "dynamo", "mooncake")


@pytest.mark.parametrize("name", AWARE)
def test_an_idle_holder_is_preferred(name):
    """Claim: with nobody else there, all seven take the instance that has most of the prompt: 4 of 4 blocks on
    instance 2, 2 of them on instance 1."""
    assert last_choice(ROUTERS[name], ["abcd", "abxy", "abcd"], [2, 1], [0.0, 0.0, 9.0]) == 2


@pytest.mark.parametrize("name", ["jsq", "least-kv", "token-jsq", "least-work", "vllm-router"])
def test_the_others_do_not_look(name):
    """Claim: routers that know nothing of caches take the lowest index of an idle fleet."""
    assert last_choice(ROUTERS[name], ["abcd", "abcd"], [2], [0.0, 9.0]) == 0


@pytest.mark.parametrize(("weight", "chosen"), [(0.7, 2), (0.3, 0)])
def test_linear_weighs(weight, chosen):
    """Claim: 40 of 45 tokens are cached on 2, which has two of at most two requests: 0.7 * 5/45 + 0.3 < 0.7 but
    0.3 * 5/45 + 0.7 > 0.3."""
    state = (["abcd", "abcd", "abcd", "abcd"], [2, 2, 2], [0.0, 5.0, 5.0, 5.5], [2, 99, 99, 2])
    assert last_choice(LinearScore(weight), *state) == chosen


@pytest.mark.parametrize(("imbalance", "deviations", "chosen"), [(8, 1.5, 2), (8, 1.0, 1), (1, 9.0, 0), (8, 0.0, 1)])
def test_aibrix_by_hand(imbalance, deviations, chosen):
    """Claim: loads 0, 1, 2 (mean 1, deviation 0.82), matches 0, 20, 40 tokens. With 1.5 deviations the best match
    qualifies (2 <= 2.22), with 1.0 or none the second (1 <= 1 < 1.82 < 2); out of balance (2 - 0 > 1) only the idle one
    is left."""
    state = (["abcd", "abcd", "abxy", "abcd"], [2, 2, 1], [0.0, 0.0, 0.0, 5.0], [99, 99, 99, 2])
    assert last_choice(AIBrix(imbalance, deviations), *state) == chosen


@pytest.mark.parametrize(("share", "chosen"), [(0.3, 2), (0.45, 0)])
def test_cache_aware_needs_enough_of_the_prompt(share, chosen):
    """Claim: 20 of 45 tokens are a match of 0.44."""
    assert last_choice(CacheAware(match_threshold=share), ["abcd", "abxy"], [2], [0.0, 5.0]) == chosen


def test_preble_takes_the_least_busy_of_the_best():
    """Claim: 20 of 45 tokens are cached on 1 and 2; 2 has a prompt to process, so 1 is taken, if 0.44 is enough."""
    state = (["abcd", "abcd", "zzzzzzzz", "abxy"], [1, 2, 2], [0.0, 0.0, 5.0, 5.01])
    assert last_choice(Preble(match_threshold=0.4), *state) == 1


@pytest.mark.parametrize(("share", "chosen"), [(0.4, 0), (0.45, 2)])
def test_preble_explores_where_little_was_sent(share, chosen):
    """Claim: the first goes to 0 (0.55 s), one of 205 tokens to 1. The third has 20 of 45 tokens cached on 0: if
    that is too little, its cost there, 0.55 + 0.35 s, is above 0.55 s on 2."""
    work = prompts("abcd", "z" * 20, "abxy", arrivals=[0.0, 1.0, 9.0], outputs=[2] * 3)
    router = Preble(match_threshold=share)
    run = simulate(work, Fleet.identical(CACHING, 3), vllm_v1().routed_by(router))
    assert run.instance.tolist() == [0, 1, chosen]


@pytest.mark.parametrize(("decoding", "chosen"), [(2, 0), (10, 1)])
def test_lmetric_pays_the_product(decoding, chosen):
    """Claim: 40 of 45 tokens are cached on 0, where some decode: 5 * 2 < 45 * 1 on the others, where one does; with ten
    on 0, 5 * 10 > 45."""
    paths = ["abcd"] * decoding + ["q", "r", "abcd"]
    script, arrivals = [0] * decoding + [1, 2], [0.0] + [5.0] * (decoding + 1) + [6.0]
    assert last_choice(ROUTERS["lmetric"], paths, script, arrivals, [99] * len(paths)) == chosen


FAST, SLOW = Link(), Link(100.0, 0.1)


@pytest.mark.parametrize(("threshold", "link", "chosen"), [(float("inf"), FAST, 2), (2.0, FAST, 0), (2.0, SLOW, 2)])
def test_the_conductor_fetches_beyond_its_threshold(threshold, link, chosen):
    """Claim: 2 has all 4 blocks and a prompt of 15 tokens to process: 0.25 s, then 0.15 s for the last 5 of 45 tokens.
    Elsewhere 45 tokens take 0.55 s; with a remote prefix 0.15 s, and 0.5 s more to send 40 bytes over the slow link."""
    fleet = Fleet((Group(CACHING, 3, link=link),))
    state = (["abcd", "z", "abcd"], [2, 2], [0.0, 5.0, 5.01])
    assert last_choice(MooncakeConductor(threshold), *state, fleet=fleet) == chosen


SERVICE = Affine(0.01, 5e-5, 0.0, 0.0)


def processed_share(path, router):
    """Share of a path's prompt tokens that four instances process: what their time is beyond 0.01 s an iteration."""
    fleet = Fleet.identical(Hardware("prompts", SERVICE, 1_000_000, 256, 16, True, True), 4)
    run = simulate(path, fleet, vllm_v1().routed_by(ROUTERS[router]))
    tokens = (run.busy_s.sum() - SERVICE.base_s * run.iterations.sum()) / SERVICE.prompt_token_s
    return tokens / path.input_tokens.sum()


@pytest.fixture(scope="module")
def stretches():
    """Eight stretches of 900 requests of Mooncake's conversation trace, and the shares processed behind JSQ."""
    trace = workload("mooncake-conversation")
    rows = [np.arange(begin, begin + 900) for begin in range(0, 7200, 900)]
    paths = [trace.take(row, trace.arrival_s[row]) for row in rows]
    return paths, np.array([processed_share(path, "jsq") for path in paths])


@pytest.mark.slow
@pytest.mark.parametrize("name", AWARE)
def test_prefix_aware_routers_process_less_of_the_trace(name, stretches):
    """Claim: four instances with memory for a million tokens each process a smaller share of the prompt tokens behind a
    prefix-aware router than behind JSQ: the mean difference over the stretches is above 0 with 99% confidence
    (Student's t, two-sided)."""
    paths, behind_jsq = stretches
    gains = behind_jsq - [processed_share(path, name) for path in paths]
    low, high = stats.t.interval(0.99, len(gains) - 1, np.mean(gains), stats.sem(gains))
    print(f"{name}: JSQ processes {behind_jsq.mean():.4f}, gain {gains.mean():.4f} [{low:.4f}, {high:.4f}]")
    assert low > 0
