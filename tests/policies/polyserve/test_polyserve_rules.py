"""The tests of admission by hand, the chunks, the scaler, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched import SLO, Fleet, Group, Hardware, RequestClass, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine, Hinged
from policies.polyserve.chunking import DynamicChunks, FixedChunks, largest_within
from policies.polyserve.deadlines import Case, ChunkedPrefill, NoPrefill, Pace, first_token, second_token
from policies.polyserve.fixed import FixedFleetSettings, polyserve_fixed
from policies.polyserve.host import Host
from policies.polyserve.polyserve import polyserve
from policies.polyserve.settings import PolyServeSettings
from policies.polyserve.tiers import Tiers

GPU = Hardware("g", Affine(0.010, 1e-4, 1e-3, 1e-6), 10_000, 64)
"""10 ms, 0.1 ms a prompt token, 1 ms a decode, 1 us a KV token."""

TWO = (RequestClass("tight", SLO(1.0, 0.05)), RequestClass("loose", SLO(2.0, 0.1)))


def work_of(arrivals, inputs, outputs, labels, classes=TWO):
    return Workload.of(arrivals, inputs, outputs, class_id=labels, classes=classes)


def poisson(rate, n, seed=0, classes=TWO, outputs=60):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 200, n), rng.integers(2, outputs, n)
    return work_of(rng.exponential(1 / rate, n).cumsum(), *lengths, rng.integers(0, len(classes), n), classes)


def test_steady_state_by_hand():
    """Claim: 20 decodes read at most (50 - 10 - 20) ms / 1 us = 20,000 tokens in 50 ms; memory holds 10,000 of them."""
    assert Host(GPU, 0.05, None, kv_test=False).largest_kv_tokens(20) == pytest.approx(20_000, abs=1)
    assert Host(GPU, 0.05, None, kv_test=True).largest_kv_tokens(20) == 10_000
    assert Host(GPU, 0.05, None, kv_test=True).largest_kv_tokens(41) == -1
    assert Host(GPU, 0.05, None, kv_test=True).largest_kv_tokens(65) == -1
    # With a chunk of 32 tokens beside the other 36: 50 - 10 - 36 - 3.2 = 0.8 ms, that is 800 tokens.
    assert Host(GPU, 0.05, DynamicChunks(32), kv_test=True).largest_kv_tokens(37) == pytest.approx(800, abs=1)


def test_prefill_by_hand():
    """Claim: beside 10 decodes and 5,000 tokens, 50 ms leave 25 ms, 250 prompt tokens; 600 take three iterations."""
    pace = ChunkedPrefill()(Host(GPU, 0.05, DynamicChunks(), kv_test=True), 10, 5_000)
    assert pace.chunk_tokens == pytest.approx(250, abs=1)
    assert pace.after_s(7.0, 600) == pytest.approx(7.15, abs=1e-3)
    assert Pace(250, 0.05).after_s(7.0, 500) == pytest.approx(7.1)
    assert NoPrefill()(Host(GPU, 0.05, DynamicChunks(), kv_test=True), 10, 5_000).after_s(7.0, 600) == 7.0


@pytest.mark.parametrize(("first_s", "kept"), [(0.999, (True, True)), (1.01, (False, False))])
def test_first_two_deadlines_by_hand(first_s, kept):
    """Claim: with the chunks of the tier, the second token is in time when the first is."""
    case = Case(1.0, first_s, Host(GPU, 0.05, DynamicChunks(), kv_test=True), 11, 5_000)
    assert (first_token(case, ChunkedPrefill()), second_token(case, ChunkedPrefill())) == kept


def test_second_token_test_is_not_implied_by_the_others():
    """Claim: where iterations carry a fixed chunk, the near iteration can be late although (a) and (c) pass."""
    host = Host(GPU, 0.05, FixedChunks(512), kv_test=True)
    case = Case(1.0, 0.99, host, 11, 5_000)
    assert first_token(case, ChunkedPrefill())
    assert host.largest_kv_tokens(11) >= 5_000
    # T_next = 10 + 51.2 + 11 + 5 = 77.2 ms, and 60 ms are left.
    assert ChunkedPrefill().near_s(host, 11, 5_000) == pytest.approx(0.0772)
    assert not second_token(case, ChunkedPrefill())
    # With the steady iteration in its place it would have passed: that is what makes the test dead code.
    assert case.first_s + host.decode_s(11, 5_000) <= case.due_s + host.tpot_s
    assert second_token(case, NoPrefill())


@given(st.integers(0, 40), st.integers(1, 3000), st.sampled_from(["affine", "hinge", "steps"]), st.floats(0.0, 1.5))
def test_largest_within_is_the_largest(low, width, kind, share):
    """Claim: the search finds the last number within the bound, for whatever never falls."""
    shapes = {
        "affine": lambda x: 1 + 0.3 * x,
        "hinge": lambda x: 1 + 0.1 * x + max(0, x - 300) * 0.5 + x * x * 1e-3,
        "steps": lambda x: float(x // 17),
    }
    f, high = shapes[kind], low + width
    bound = f(low) + (f(high) - f(low)) * share
    found = largest_within(f, bound, low, high)
    assert f(found) <= bound
    assert found == high or f(found + 1) > bound
    assert largest_within(f, f(low) - 1, low, high) == low - 1


def test_chunks_fill_the_time_per_token():
    """Claim: no iteration of a server that decodes lasts longer than its tier allows, and prompts fill it up."""
    hw = Hardware("h", Hinged(0.01, 1e-5, 1e-4, 1e-6, 64, 1e-4, chunk_attention_s=1e-8), 40_000, 64)
    work = poisson(60, 300, classes=TWO[:1])
    run = simulate(
        work,
        Fleet((Group(hw, 2, tier="tight"),)),
        polyserve(work, Fleet.identical(hw, 2), PolyServeSettings()),
        token_gaps=True,
    )
    assert run.token_gaps.quantile_s(1.0) <= 0.05 * (1 + 1e-9)
    assert run.token_gaps.quantile_s(1.0) > 0.045


def test_load_gradient_needs_the_most_loaded_order():
    """Claim: most loaded first leaves fewer servers in use than least loaded first, on a fleet that does not scale."""
    work = poisson(20, 600, classes=TWO[:1])
    fleet = Fleet((Group(GPU, 8, tier="tight"),))
    used = {}
    for order in ("most-loaded", "least-loaded"):
        policy = polyserve(work, fleet, PolyServeSettings(order=order, scaling=False))
        run = simulate(work, fleet, policy, sample_every_s=0.5)
        used[order] = float((run.log.samples.in_system > 0).sum(axis=1).mean())
    assert used["most-loaded"] < 0.6 * used["least-loaded"]


def servers_of(run, tier):
    return [e for e in run.log.events if e.kind == "tier" and e.detail == tier]


def test_last_server_goes_back_after_two_empty_checks():
    """Claim: a server claimed in a burst is released at the second check that finds it empty; the tier keeps one."""
    burst = [*np.linspace(0, 0.1, 60), 6.0]
    work = work_of(burst, [100] * 61, [20] * 61, [0] * 61, TWO[:1])
    fleet = Fleet.identical(GPU, 4)
    run = simulate(work, fleet, polyserve(work, fleet, PolyServeSettings(check_every_s=0.5)))
    claims = [e for e in run.log.events if e.kind == "tier" and e.detail == "tight"]
    releases = [e for e in run.log.events if e.kind == "tier" and e.detail != "tight"]
    assert len(claims) >= 2
    assert len(releases) == len(claims) - 1
    for event in releases:
        assert event.time_s % 0.5 == pytest.approx(0.0, abs=1e-9)
        last = max(run.completion_s[(run.instance == event.instance) & (run.completion_s < event.time_s)])
        assert event.time_s - last >= 0.5


def test_power_off_saves_server_hours_and_start_up_costs_time():
    """Claim: idle servers of the pool are switched off; a request that needs one waits for its start."""
    work = work_of([0.0, 10.0, 10.0], [100] * 3, [20] * 3, [0, 1, 0])
    fleet = Fleet((Group(GPU, 4, start_up_s=3.0),))
    for power_off, wait_s in ((False, 0.0), (True, 3.0)):
        settings = PolyServeSettings(power_off=power_off, promotion="none")
        run = simulate(work, fleet, polyserve(work, fleet, settings))
        assert (run.on_s.sum() < 0.5 * 4 * run.completion_s.max()) == power_off
        assert run.ttft_s[1] == pytest.approx(wait_s + 0.02, abs=0.01)


def test_a_tier_without_servers_takes_one_over():
    """Claim: the tier that has most gives its last server away, unless that is switched off."""
    work = poisson(30, 200, classes=TWO)
    fleet = Fleet((Group(GPU, 3, tier="loose"),))
    takes = simulate(work, fleet, polyserve(work, fleet, PolyServeSettings()))
    assert servers_of(takes, "tight")
    waits = simulate(work, fleet, polyserve(work, fleet, PolyServeSettings(take_over=False)))
    assert takes.ttft_s.max() < waits.ttft_s.max()


def test_one_server_serves_two_tiers():
    """Claim: with fewer servers than tiers the tightest holds it and the others are promoted there."""
    work = poisson(5, 100)
    fleet = Fleet.single(GPU)
    run = simulate(work, fleet, polyserve(work, fleet, PolyServeSettings()))
    assert np.isfinite(run.completion_s).all()
    assert [e.detail for e in run.log.events if e.kind == "tier"][-1] == "tight"


def test_running_average_needs_no_information_and_learns():
    """Claim: the declared information is none, and what it learns is the mean of what has completed."""
    work = poisson(20, 300)
    fleet = Fleet.identical(GPU, 4)
    policy = polyserve(work, fleet, PolyServeSettings(average_length="running"))
    assert policy.information.label == "none"
    assert polyserve(work, fleet, PolyServeSettings()).information.label == "class"
    seen = {}

    def control(view):
        actions = policy.control(view)
        seen["lengths"] = view.memo["polyserve"].lengths
        done = [r for r in range(300) if view.completed_tokens(r) is not None]
        seen["means"] = [
            np.mean([work.output_tokens[r] for r in done if work.class_id[r] == k] or [256]) for k in (0, 1)
        ]
        return actions

    from dataclasses import replace

    simulate(work, fleet, replace(policy, control=control))
    assert seen["lengths"] == tuple(round(mean) for mean in seen["means"])


def test_tiers_are_tpot_values():
    """Claim: classes of one TPOT share a tier whatever their TTFT; names of classes name their tier."""
    classes = (*TWO, RequestClass("slow start", SLO(9.0, 0.05)))
    tiers = Tiers.of(classes)
    assert tiers.tpot_s == (0.05, 0.1)
    assert tiers.of_class == (0, 1, 0)
    assert tiers.labels == ("tight+slow start", "loose")
    assert tiers.by_label["slow start"] == tiers.by_label["tight+slow start"] == 0


def test_fixed_variant_fills_servers_up_and_balances_when_none_is_feasible():
    """Claim: feasible servers are filled one after another; beyond that the fastest takes it."""
    work = poisson(15, 300, classes=TWO[:1])
    fleet = Fleet.identical(GPU, 6)
    few = np.bincount(simulate(work, fleet, polyserve_fixed(work, fleet, FixedFleetSettings())).instance, minlength=6)
    assert few[0] > 0.4 * few.sum()
    strict = Workload.of(
        work.arrival_s, work.input_tokens, work.output_tokens, classes=(RequestClass("no", SLO(1.0, 0.001)),)
    )
    even = np.bincount(
        simulate(strict, fleet, polyserve_fixed(strict, fleet, FixedFleetSettings())).instance, minlength=6
    )
    assert even.max() < 2 * even.min() + 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"promotion": "never"}, "PolyServeSettings.promotion = 'never': must be one of 'eager', 'lazy', 'none'"),
        ({"order": "fullest"}, "PolyServeSettings.order"),
        ({"kv_test": 1}, "PolyServeSettings.kv_test = 1"),
        ({"empty_checks": 0}, "PolyServeSettings.empty_checks = 0"),
        ({"check_every_s": 0}, "PolyServeSettings.check_every_s = 0"),
        ({"chunk_tokens": 0}, "PolyServeSettings.chunk_tokens = 0"),
        ({"average_length": "mine"}, "PolyServeSettings.average_length"),
    ],
)
def test_settings_that_are_not_so(change, message):
    """Claim: a setting that is no choice is refused by name."""
    with pytest.raises(InputError, match=message):
        PolyServeSettings(**change)
    with pytest.raises(InputError, match="average_length = 'running'"):
        FixedFleetSettings(average_length="running")


@pytest.mark.parametrize(
    ("fleet", "settings", "message"),
    [
        (Fleet((Group(GPU, 2, tier="gold"),)), {}, "tier 'gold': the workload has 'tight', 'loose'"),
        (Fleet((Group(GPU, 2), Group(GPU, 1, "decode"))), {}, "mixed instances, or on prefill and decode"),
        (Fleet.single(GPU), {"promotion": "none"}, "1 servers for 2 tiers"),
        (Fleet.identical(GPU, 4), {"scaling": False}, "every group needs a tier"),
        (Fleet((Group(GPU, 4, tier="tight"),)), {"scaling": False}, "every tier a group"),
    ],
)
def test_fleets_that_cannot_be(fleet, settings, message):
    """Claim: a fleet that the policy cannot serve is refused when it is built."""
    with pytest.raises(InputError, match=message):
        polyserve(poisson(5, 10), fleet, PolyServeSettings(**settings))


def test_classes_need_objectives():
    """Claim: without an SLO there is no tier."""
    with pytest.raises(InputError, match="class 'all' has no SLO"):
        polyserve(Workload.of([0.0], [5], [5]), Fleet.single(GPU), PolyServeSettings())
    twice = (RequestClass("a", SLO(1, 0.05)), RequestClass("a", SLO(1, 0.1)))
    with pytest.raises(InputError, match="two classes are called 'a'"):
        Tiers.of(twice)


def test_guests_are_judged_by_their_host():
    """Claim: a request waits for its own tier rather than go to an empty server whose time per token it would break."""
    classes = (RequestClass("tight", SLO(5.0, 0.012)), RequestClass("loose", SLO(5.0, 0.1)))
    one_seat = Hardware("one", GPU.service, 10_000, 1)
    fleet = Fleet((Group(one_seat, 1, tier="tight"), Group(one_seat, 1, tier="loose")))
    for prompt, servers in ((5_000, [1, 1]), (200, [1, 0])):
        work = work_of([0.0, 0.1], [prompt] * 2, [50] * 2, [1, 1], classes)
        run = simulate(work, fleet, polyserve(work, fleet, PolyServeSettings(scaling=False, least_chunk_tokens=1)))
        assert run.instance.tolist() == servers
