"""The hull column bounds every policy; the fluid column is the equilibrium; both are what they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fluid import ClassRate, equilibrium, planned_load
from fluid.demand import Rates
from fluid.modes import (
    CAPACITY,
    batch_modes,
    chunk_minorants,
    fluid_latency,
    hull_latency,
    hull_number,
    mode_lp,
    serving_participants,
)
from fluid.pathwise.minorants import sound_minorants
from orsched.bound import best_bound
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine, Hinged
from orsched.workloads import Workload
from tests.support.closed_form import participation_s
from tests.support.schedules import best_value, instances, random_schedule, service_models

REFERENCE = Fleet.identical(Hardware("reference", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 40_000, 256))

types = st.lists(st.tuples(st.floats(0.2, 3), st.integers(1, 60), st.integers(1, 40)), min_size=1, max_size=4).map(
    lambda rows: [ClassRate(*row) for row in rows]
)
hardware = st.builds(Hardware, st.just("gpu"), service_models(), st.integers(120, 2_000), st.integers(1, 12))


def reference_demand(rate, n=4000):
    rng = np.random.default_rng(1)
    return Workload.of(np.arange(n) / rate, rng.integers(50, 951, n), rng.integers(20, 481, n))


def at_load(classes, fleet, load):
    factor = load / planned_load(classes, fleet)
    return [replace(c, rate_per_s=factor * c.rate_per_s) for c in classes]


def repeated(workload, period_s):
    """The demand of a workload that is served, and comes again, once every period."""
    rows = zip(workload.input_tokens.tolist(), workload.output_tokens.tolist(), strict=True)
    return [ClassRate(1 / period_s, *row) for row in rows]


@pytest.mark.parametrize(("rate", "hull", "fluid"), [(4.0, 3.53, 3.99), (7.0, 4.24, 5.3)])
def test_reference_instance(rate, hull, fluid):
    """The values of the reference instance: 3.5 s and 4.2 s for every policy, 3.99 s and 5.3 s in the fluid limit."""
    demand = reference_demand(rate)
    bound = hull_latency(demand, REFERENCE)
    assert bound.value == pytest.approx(hull, rel=0.01)
    assert (bound.validity, bound.certified, bound.sense, bound.metric) == ("fluid", True, "lower", "latency_mean_s")
    limit = fluid_latency(demand, REFERENCE)
    assert limit.value == pytest.approx(fluid, rel=0.01)
    assert (limit.validity, limit.certified, limit.subject) == ("asymptotic", False, bound.subject)
    assert best_bound([limit], "latency_mean_s") is None


@settings(max_examples=40)
@given(instances(), st.integers(0, 2**32))
def test_no_repeated_schedule_beats_the_hull(instance, seed):
    """A schedule repeated once per makespan is a stationary policy: chunks, pauses, idling, recomputation and all."""
    workload, fleet = instance
    for k in range(3):
        _, done = random_schedule(workload, fleet, seed + k)
        period = done.max() - workload.arrival_s[0]
        present = (done - workload.arrival_s).sum() / period
        assert hull_number(repeated(workload, period), fleet).bound.value <= present * (1 + 1e-9)


@pytest.mark.slow
@settings(max_examples=1000)
@given(instances(most=12, longest=25), st.integers(0, 2**32))
def test_no_repeated_schedule_beats_the_hull_at_length(instance, seed):
    workload, fleet = instance
    _, done = random_schedule(workload, fleet, seed)
    period = done.max() - workload.arrival_s[0]
    present = (done - workload.arrival_s).sum() / period
    assert hull_number(repeated(workload, period), fleet).bound.value <= present * (1 + 1e-9)


@settings(max_examples=25)
@given(instances(most=3, longest=3, sizes=(1, 1, 2), spread=2.5))
def test_hull_below_the_optimum(instance):
    """The best of all schedules ends within the arrivals' span and the sum of its latencies; repeat it that often."""
    workload, fleet = instance
    least = best_value(workload, fleet, "latency")
    period = workload.span_s + least
    assert hull_number(repeated(workload, period), fleet).bound.value * period <= least * (1 + 1e-9)


def compact_number(demand, fleet, kinds, wanted):
    """The same programme without modes: work per batch size as variables, minorants and limits as rows."""
    hw, K = fleet.hardware, len(kinds)
    minorants = chunk_minorants(hw, Rates.of(demand).least_prompt)
    width = K + 2  # participations per second, iterations per second, time share
    columns = width * hw.max_num_seqs
    rows, rhs = [], []
    cost = np.zeros(columns)
    total_time = np.zeros(columns)
    made = {name: np.zeros(columns) for name in wanted}
    for b in range(1, hw.max_num_seqs + 1):
        at = (b - 1) * width
        part, iterations, time = slice(at, at + K), at + K, at + K + 1
        cost[time] = b
        total_time[time] = 1
        for name in wanted:
            made[name][part] = [p.produces.get(name, 0.0) for p in kinds]
        seats, memory = np.zeros(columns), np.zeros(columns)
        seats[part], seats[iterations] = 1, -b
        memory[part], memory[iterations] = [p.resident_tokens for p in kinds], -hw.kv_capacity_tokens
        rows += [seats, memory / hw.kv_capacity_tokens]
        for m in minorants:
            row = np.zeros(columns)
            row[part] = [
                m.prompt_token_s * p.batch.prompt_tokens
                + m.sequence_s * p.batch.num_seqs
                + m.kv_token_s * p.batch.kv_tokens
                + m.chunk_attention_s * p.batch.chunk_attention
                for p in kinds
            ]
            row[iterations], row[time] = m.base_s, -1
            rows.append(row)
    rhs = [0.0] * len(rows) + [fleet.size] + [-1.0] * len(wanted)
    rows += [total_time] + [-made[name] / rate for name, rate in wanted.items()]
    return linprog(cost, A_ub=np.array(rows), b_ub=rhs, method="highs")


@settings(max_examples=30)
@given(types, hardware, st.integers(1, 2), st.floats(0.1, 0.97))
def test_modes_are_the_whole_hull(classes, hw, size, load):
    """The vertices give the optimum of a formulation that enumerates nothing, for hinges and tight memory too."""
    fleet = Fleet.identical(hw, size)
    demand = at_load(classes, fleet, load)
    kinds, wanted = serving_participants(Rates.of(demand))
    other = compact_number(demand, fleet, kinds, wanted)
    assert other.status == 0
    assert hull_number(demand, fleet).bound.value == pytest.approx(other.fun, rel=2e-6)


def test_closed_form_of_one_minorant():
    """Without memory limits the dual is one price of time: max over c of sum of phi_c over participations - c n."""
    hw = Hardware("gpu", Affine(0.012, 2e-4, 50e-6, 1.2e-4), 10**9, 64)
    demand = [ClassRate(40.0, 40, 3), ClassRate(80.0, 7, 2)]
    works = [2e-4 * 40, 2e-4 * 7, 50e-6 + 1.2e-4 * 40, 50e-6 + 1.2e-4 * 41, 50e-6 + 1.2e-4 * 7]
    rates = np.array([40.0, 80.0, 40.0, 40.0, 80.0])
    (minorant,) = hw.service.affine_minorants()
    prices = np.linspace(0, 60, 6_001)
    best = max(rates @ participation_s(minorant, 64, c, np.array(works)) - c * 2 for c in prices)
    found = hull_number(demand, Fleet.identical(hw, 2), prefill_nodes=9, decode_nodes=9)
    assert found.bound.value == pytest.approx(best, rel=1e-4)


@settings(max_examples=30)
@given(types, hardware, st.integers(1, 3))
def test_capacity_is_the_planning_programme(classes, hw, size):
    """The capacity objective gives one over the planned load, wherever the minorants are the same."""
    fleet = Fleet.identical(hw, size)
    rates = Rates.of(classes)
    kinds, wanted = serving_participants(rates)
    modes = batch_modes(hw, kinds, (1, hw.max_num_seqs), least_prompt=rates.least_prompt)
    found = mode_lp(modes, wanted, CAPACITY, instances={hw.name: size})
    load = planned_load(classes, fleet)
    if chunk_minorants(hw, rates.least_prompt) == sound_minorants(hw, rates.least_prompt):
        assert found.bound.value * load == pytest.approx(1.0, rel=1e-6)
    else:
        assert found.bound.value * load >= 1 - 1e-9


@settings(max_examples=12)
@given(types, hardware, st.floats(0.2, 0.9))
def test_hull_is_monotone(classes, hw, load):
    """More memory, seats, instances or speed never need more requests present; more demand never fewer."""
    demand = at_load(classes, Fleet.identical(hw), load)

    def number(demand=demand, size=1, **changes):
        return hull_number(demand, Fleet.identical(replace(hw, **changes), size)).bound.value

    base, slack = number(), 1 + 1e-6
    assert number(kv_capacity_tokens=2 * hw.kv_capacity_tokens) <= base * slack
    assert number(max_num_seqs=hw.max_num_seqs + 1) <= base * slack
    assert number(size=2) <= base * slack
    assert number(service=replace(hw.service, base_s=hw.service.base_s / 2)) <= base * slack
    assert number([replace(c, rate_per_s=c.rate_per_s / 2) for c in demand]) <= base * slack


def test_more_nodes_are_tighter():
    """Telling more lengths apart only removes freedom from the imagined policy, when nodes are added."""
    demand = reference_demand(7.0)
    coarse = hull_number(demand, REFERENCE, prefill_nodes=2, decode_nodes=2).bound.value
    assert coarse <= hull_number(demand, REFERENCE).bound.value


def test_token_gap_limit():
    """A hard limit on token gaps costs presence, and a limit below one decode is infeasible in words."""
    demand = reference_demand(7.0)
    limit = 0.017
    free = hull_number(demand, REFERENCE)
    slowest = max(mode.iteration_s for mode, _ in free.mix if mode.produces.get("decode_tokens"))
    limited = hull_number(demand, REFERENCE, token_gap_limit_s=limit)
    assert slowest > limit
    assert limited.bound.value > free.bound.value
    decoding = [mode for mode, _ in limited.mix if mode.produces.get("decode_tokens")]
    assert all(mode.iteration_s <= limit + 1e-12 for mode in decoding)
    with pytest.raises(InputError, match="no mode produces 'decode reading"):
        hull_number(demand, REFERENCE, token_gap_limit_s=0.012)


@given(types, st.integers(1, 3), st.floats(0.05, 0.95))
@settings(max_examples=40)
def test_fluid_is_the_equilibrium(classes, size, load):
    """For an affine model the fluid column is the mean of WAIT's equilibrium latencies."""
    fleet = Fleet.identical(Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 40_000, 256), size)
    demand = at_load(classes, fleet, load)
    balanced = equilibrium(demand, fleet)
    rates = np.array([c.rate_per_s for c in demand])
    assert fluid_latency(demand, fleet).value == pytest.approx(rates @ balanced.latency_s / rates.sum(), rel=1e-8)


def test_fluid_of_a_hinge_satisfies_every_minorant():
    """The iteration of the fluid point is as long as its batch takes under the largest minorant."""
    fleet = Fleet.identical(Hardware("gpu", Hinged(0.01, 1e-5, 1e-5, 1e-7, 64, 5e-5, 1e-9), 50_000, 256), 2)
    demand = [ClassRate(20.0, 300, 120), ClassRate(3.0, 40, 300)]
    found = fluid_latency(demand, fleet)
    iterations = found.certificate["iterations_per_s"]
    rates = Rates.of(demand)
    time = [
        rates.rate_per_s @ m.work_s(rates.work) + m.base_s * iterations
        for m in fleet.hardware.service.affine_minorants()
    ]
    assert max(time) == pytest.approx(2.0)


def test_overload_is_refused_in_words():
    """At load above one both columns say that no policy keeps up, and how far it is off."""
    demand = reference_demand(12.0)
    with pytest.raises(InputError, match=r"at most 0\.7\d+ of the demand.*limited by 1 instances of 'reference'"):
        hull_latency(demand, REFERENCE)
    with pytest.raises(InputError, match="iterations per second are needed"):
        fluid_latency(demand, REFERENCE)


def test_a_class_that_fits_nowhere_is_refused():
    with pytest.raises(InputError, match=r"class 1 .* 12 KV tokens, .* holds 10"):
        hull_number(
            [ClassRate(1, 5, 2), ClassRate(1, 8, 5)], Fleet.identical(Hardware("gpu", Affine(1.0, 0, 0, 0), 11, 4, 5))
        )


def test_many_seats():
    """Beyond 256 seats ranges are short beside their ends: a deployment with 100,000 seats is still solved."""
    fleet = Fleet.identical(replace(REFERENCE.hardware, max_num_seqs=100_000))
    assert hull_number(reference_demand(7.0, 500), fleet).bound.value <= hull_number(
        reference_demand(7.0, 500), REFERENCE
    ).bound.value * (1 + 1e-6)
