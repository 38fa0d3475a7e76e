"""The congestion bound: its prices hold for every batch, its programme for every schedule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import equilibrium
from fluid.pathwise.congestion import best_prices, congestion_bound_s, congestion_programme
from fluid.pathwise.minorants import sound_minorants, standalone
from fluid.pathwise.tangents import NODES, Progress, participation_s
from fluid.programme import solve
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged, Minorant
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule, service_models

bases, prices, works = (st.just(0.0) | st.floats(1e-6, top) for top in (1, 200, 3))


def worth(base, most, price, *x):
    return participation_s(Minorant(base, 1.0, 1.0, 1.0), most, price, np.array(x, dtype=float))


@settings(max_examples=400)
@given(bases, prices, st.lists(works, min_size=1, max_size=30))
def test_no_iteration_pays(base, price, x):
    """(b + c) T is at least what its participants' work is worth, for every batch."""
    earned = worth(base, 30, price, *x).sum()
    assert earned <= (len(x) + price) * (base + sum(x)) * (1 + 1e-12)


@given(bases, prices, works, works, st.integers(1, 50))
def test_worth_is_increasing_concave_and_subadditive(base, price, x, y, most):
    one, two, middle, both, nothing = worth(base, most, price, min(x, y), max(x, y), (x + y) / 2, x + y, 0.0)
    assert nothing >= 0
    assert one <= two * (1 + 1e-12)
    assert middle >= (one + two) / 2 * (1 - 1e-12)
    assert both <= (one + two) * (1 + 1e-12)


@given(bases, prices, works, st.integers(1, 50))
def test_worth_is_the_least_over_whole_batches(base, price, x, most):
    least = min((b + price) * (base / b + x) for b in range(1, most + 1))
    assert worth(base, most, price, x)[0] == pytest.approx(least, rel=1e-12, abs=1e-300)


def test_worth_at_no_price_is_the_critical_path():
    assert worth(0.5, 9, 0.0, 0.0, 0.2, 4.0) == pytest.approx([0.5, 0.7, 4.5])


@given(service_models(), st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=5))
def test_progress_counts_every_participation(service, lengths):
    """Mixtures over nodes keep the number and the mean work of each request's participations, and lose worth."""
    inputs, outputs = zip(*lengths, strict=True)
    work = Workload.of(np.zeros(len(lengths)), inputs, outputs)
    for m in sound_minorants(service, min(inputs)):
        progress = Progress.of(work, m)
        assert len(progress.nodes_s) <= NODES
        assert progress.amounts.sum(axis=0) == pytest.approx(outputs, rel=1e-6)
        assert progress.nodes_s @ progress.amounts == pytest.approx(m.work_s(work.work), rel=1e-6, abs=1e-9)
        for price in (0.0, 0.3, 20.0):
            if m.base_s < 0:
                continue
            tabulated = participation_s(m, 7, price, progress.nodes_s) @ progress.amounts
            for i, (length, out) in enumerate(lengths):
                prefill = m.prompt_token_s * length + m.chunk_attention_s * length**2 / 2
                own = [prefill] + [m.sequence_s + m.kv_token_s * (length + k) for k in range(out - 1)]
                exact = participation_s(m, 7, price, np.array(own)).sum()
                assert tabulated[i] <= exact * (1 + 1e-6) + 1e-9


def total_latency(workload, fleet, seed):
    _, done = random_schedule(workload, fleet, seed)
    return float(np.sum(done - workload.arrival_s))


@settings(max_examples=150)
@given(instances(), st.integers(0, 2**32))
def test_no_schedule_beats_it(instance, seed):
    workload, fleet = instance
    bound, _ = congestion_bound_s(workload, fleet)
    for k in range(5):
        assert bound <= total_latency(workload, fleet, seed + k) * (1 + 1e-9)


@settings(max_examples=200)
@given(
    instances(),
    st.integers(0, 2**32),
    st.lists(st.floats(0, 20), max_size=4),
    st.lists(st.floats(0.05, 12), min_size=1, max_size=6),
)
def test_every_choice_of_prices_and_windows_is_valid(instance, seed, chosen, cuts):
    """Not only the prices and windows that are chosen well."""
    workload, fleet = instance
    starts = np.unique(np.concatenate([[workload.arrival_s[0]], workload.arrival_s[0] + np.array(cuts)]))
    for m in standalone(sound_minorants(fleet.hardware.service, int(workload.input_tokens.min()))):
        if m.base_s == 0:
            continue
        solution = solve(congestion_programme(workload, fleet, Progress.of(workload, m), (0.0, *chosen), starts))
        assert solution.status == "optimal"
        for k in range(3):
            assert -solution.value <= total_latency(workload, fleet, seed + k) * (1 + 1e-6)


SERVICE = Affine(0.012, 60e-6, 50e-6, 0.0)


def test_long_paths_reach_the_hull_of_the_fluid_equilibrium():
    """One class: per request (1 - share of time on prefill) times the fluid latency, up to the path's ends."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / 7, 20_000))
    work = Workload.of(arrivals, np.full(20_000, 500), np.full(20_000, 250))
    fleet = Fleet(Hardware("gpu", SERVICE, 10**7, 256))
    bound, _ = congestion_bound_s(work, fleet)
    fluid = equilibrium(work, fleet).latency_s[0]
    hull = (1 - work.rate_per_s * 500 * 60e-6) * fluid
    assert 0.96 * hull <= float(bound) / len(work) <= fluid


def test_lone_requests_are_exact():
    """Far apart, every request takes its critical path."""
    work = Workload.of([0, 100, 200], [100, 200, 300], [10, 20, 30])
    fleet = Fleet(Hardware("gpu", SERVICE, 10**7, 256))
    bound, _ = congestion_bound_s(work, fleet)
    path = sum(
        SERVICE.iteration_s(Batch(prompt_tokens=int(i))) + (int(o) - 1) * SERVICE.iteration_s(Batch(num_seqs=1))
        for i, o in zip(work.input_tokens, work.output_tokens, strict=True)
    )
    assert float(bound) == pytest.approx(path, rel=1e-6)


@settings(max_examples=60)
@given(instances(sizes=(1, 2)))
def test_monotone_in_instances(instance):
    """For fixed prices and windows the optimum falls with the number of instances."""
    workload, fleet = instance
    progress, chosen = best_prices(workload, fleet)
    starts = workload.arrival_s[0] + np.arange(6.0)
    few = solve(congestion_programme(workload, fleet, progress, chosen, starts)).value
    bigger = replace(fleet, size=fleet.size + 1)
    many = solve(congestion_programme(workload, bigger, progress, chosen, starts)).value
    assert -many <= -few * (1 + 1e-6) + 1e-9


def recorded_schedule(workload, hw, seed):
    """Iterations (start, length, participations) and completions of a random schedule of whole prompts, never
    preempted; a participation is (request, own work by the affine model)."""
    rng, service = np.random.default_rng(seed), hw.service
    left = workload.output_tokens.copy()
    now, iterations, done = 0.0, [], np.zeros(len(workload))
    started = []
    while left.any():
        batch = [i for i in started if left[i] and rng.random() < 0.8][: hw.max_num_seqs]
        room = hw.max_num_seqs - len(batch)
        new = [i for i in range(len(left)) if workload.arrival_s[i] <= now and i not in started][:room]
        if not batch and not new:
            now += 0.05
            continue
        works = [(i, service.prompt_token_s * workload.input_tokens[i]) for i in new]
        for i in batch:
            read = workload.input_tokens[i] + workload.output_tokens[i] - left[i] - 1
            works.append((i, service.sequence_s + service.kv_token_s * read))
        length = service.base_s + sum(w for _, w in works)
        iterations.append((now, length, works))
        now += length
        started += new
        for i, _ in works:
            left[i] -= 1
            done[i] = now if left[i] == 0 else 0.0
    return iterations, done


def overlap(start, end, low, high):
    return max(0.0, min(end, high) - max(start, low))


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.floats(0, 4), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8).map(sorted),
    st.tuples(st.sampled_from([0.05, 0.3]), *[st.sampled_from([0.02, 0.04, 0.2])] * 3),
    st.integers(1, 5),
    st.lists(st.floats(0.1, 12), min_size=1, max_size=5),
    st.integers(0, 2**32),
)
def test_a_schedule_satisfies_every_row(rows, terms, seats, cuts, seed):
    """Row by row: the presence and progress of a real schedule are feasible for the programme."""
    terms = (terms[0], max(terms[1], terms[2] + terms[3]), *terms[2:])  # recomputation does not pay
    work = Workload.of(*zip(*rows, strict=True))
    hw = Hardware("gpu", Affine(*terms), 10_000, seats)
    (m,) = sound_minorants(hw.service, int(work.input_tokens.min()))
    progress = Progress.of(work, m)
    starts = np.unique(work.arrival_s[0] + np.array([0.0, *cuts]))
    lp = congestion_programme(work, Fleet(hw), progress, (0.0, 0.2, 1.0, 9.0), starts)
    edges = np.append(starts, 1e9)
    iterations, done = recorded_schedule(work, hw, seed)
    nodes = progress.nodes_s
    did = np.zeros((len(nodes), len(starts)))
    for start, length, works in iterations:
        share = np.array([overlap(start, start + length, *edges[w : w + 2]) for w in range(len(starts))]) / length
        for _, own in works:
            hats = [np.interp(own, nodes, unit) for unit in np.eye(len(nodes))]
            did += np.outer(hats, share)
    arrived = np.zeros_like(did)
    for i, a in enumerate(work.arrival_s):
        arrived[:, np.searchsorted(starts, a, side="right") - 1] += progress.amounts[:, i]
    left = np.cumsum(arrived - did, axis=1)
    present = [
        sum(overlap(a, c, *edges[w : w + 2]) for a, c in zip(work.arrival_s, done, strict=True))
        for w in range(len(starts))
    ]
    totals = np.where(progress.totals > 0, progress.totals, 1.0)
    point = np.concatenate([np.array(present) / -lp.objective[0], (left / totals[:, None]).ravel()])
    assert (lp.matrix @ point <= lp.rhs + 1e-7).all()
    assert -lp.objective @ point == pytest.approx(np.sum(done - work.arrival_s))


def test_hinged_models_choose_among_their_minorants():
    """The bound of a hinged model is at least that of either affine side it is made of, up to the grid."""
    rng = np.random.default_rng(5)
    work = Workload.of(np.cumsum(rng.exponential(0.2, 400)), rng.integers(50, 900, 400), rng.integers(20, 300, 400))
    flat = (0.011, 3.5e-5, 5e-5, 3.5e-7)
    values = [
        float(congestion_bound_s(work, Fleet(Hardware("gpu", service, 137_000, 256)))[0])
        for service in (Affine(*flat), Hinged(*flat, 174.0, 3.8e-5, 2.8e-9))
    ]
    assert values[1] >= values[0] * 0.999
