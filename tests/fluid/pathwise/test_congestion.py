"""The congestion bound: its prices hold for every batch, its programme for every schedule."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid import equilibrium
from fluid.pathwise.congestion import best_price, congestion_bound_s
from fluid.pathwise.congestion_lp import congestion_programme
from fluid.pathwise.minorants import sound_minorants, standalone
from fluid.pathwise.participations import Participations, prefill_s
from fluid.pathwise.prefill_delay import PrefillDelay
from fluid.programme import solve
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule, service_models

READINGS = (Participations.of, Participations.apart)


def hats(value, nodes):
    """Shares of the nodes next to a value; they keep the mean."""
    return np.array([np.interp(value, nodes, unit) for unit in np.eye(len(nodes))])


def made_by(progress, prompts, contexts):
    """What an iteration makes that prefills (tokens now, tokens in all, tokens before) and decodes (tokens read)."""
    made = np.zeros(len(progress.parts))
    kinds, floor = progress.kinds, progress.floor
    count = len(kinds.prompts)
    for now, whole, past in prompts:
        attention = now * (past + now / 2)
        share = np.array([now / kinds.prompts[0]]) if kinds.apart else now / whole * hats(whole, kinds.prompts)
        made[:count] += share
        made[count] += attention
        made[-1] += floor.prompt_token_s * now + floor.chunk_attention_s * attention
    for read in contexts:
        made[count + 1 : -1] += hats(read, kinds.reads)
    return made


lengths = st.lists(st.tuples(st.integers(1, 40), st.integers(2, 30)), min_size=1, max_size=5)


@settings(max_examples=40)
@given(service_models(), lengths, st.sampled_from([0.0, 0.3, 20.0]), st.data())
def test_no_iteration_pays(service, rows, price, data):
    """(b + c) T is at least what is made, in both readings, for random batches of chunks and decodes."""
    inputs, outputs = zip(*rows, strict=True)
    work = Workload.of(np.zeros(len(rows)), inputs, outputs)
    hw = Hardware("gpu", service, 200, 6)
    for reading in READINGS:
        progress = reading(work, hw)
        worths, seconds = progress.worths(price), progress.worths(math.inf)
        for _ in range(5):
            whole = data.draw(st.lists(st.sampled_from(inputs), max_size=3))
            pasts = [data.draw(st.integers(0, length - 1)) for length in whole]
            prompts = [(data.draw(st.integers(1, n - past)), n, past) for n, past in zip(whole, pasts, strict=True)]
            low, high = min(inputs), max(i + o - 2 for i, o in rows)
            contexts = data.draw(st.lists(st.integers(low, high), max_size=3))
            if sum(now + past for now, _, past in prompts) + sum(contexts) + len(contexts) > 200:
                continue
            batch = Batch(
                prompt_tokens=sum(p[0] for p in prompts),
                num_seqs=len(contexts),
                kv_tokens=sum(contexts),
                chunk_attention=sum(now * (past + now / 2) for now, _, past in prompts),
                past_tokens=sum(past for _, _, past in prompts),
            )
            made = made_by(progress, prompts, contexts)
            length = service.iteration_s(batch) if prompts or contexts else 0.0
            b = len(contexts) + (0 if progress.kinds.apart else len(prompts))
            assert worths @ made <= (b + price) * length * (1 + 1e-9) + 1e-12
            assert seconds @ made <= length * (1 + 1e-9) + 1e-12


@given(service_models(), lengths)
def test_participations_count_every_token(service, rows):
    """Amounts add up to the prompts, the decodes, and the tokens they read."""
    inputs, outputs = (np.array(c) for c in zip(*rows, strict=True))
    work = Workload.of(np.zeros(len(rows)), inputs, outputs)
    for reading in READINGS:
        progress = reading(work, Hardware("gpu", service, 200, 6))
        prompts, reads = np.array(progress.kinds.prompts), np.array(progress.kinds.reads)
        count = len(prompts)
        assert prompts @ progress.parts[:count] == pytest.approx(inputs)
        assert progress.parts[count] == pytest.approx(inputs**2 / 2)
        decodes = progress.parts[count + 1 : -1]
        assert decodes.sum(axis=0) == pytest.approx(outputs - 1)
        assert reads @ decodes == pytest.approx(work.work.kv_reads)


def test_worths_at_no_price_are_the_critical_path():
    """One affine model, one length: a decode alone takes alpha + gamma + delta n."""
    work = Workload.of([0.0], [10], [2])
    hw = Hardware("gpu", Affine(0.5, 0.04, 0.01, 0.002), 100, 4)
    assert Participations.of(work, hw).worths(0.0)[[0, 2]] == pytest.approx([0.9, 0.53])
    assert Participations.apart(work, hw).worths(0.0)[[0, 2, 3]] == pytest.approx([0.0, 0.53, 0.0])


def total_latency(workload, fleet, seed):
    _, done = random_schedule(workload, fleet, seed)
    return float(np.sum(done - workload.arrival_s))


@settings(max_examples=40)
@given(instances(), st.integers(0, 2**32))
def test_no_schedule_beats_it(instance, seed):
    workload, fleet = instance
    bound, _ = congestion_bound_s(workload, fleet)
    for k in range(5):
        assert bound <= total_latency(workload, fleet, seed + k) * (1 + 1e-9)


@settings(max_examples=30)
@given(
    instances(),
    st.integers(0, 2**32),
    st.lists(st.floats(0, 20), max_size=4),
    st.lists(st.floats(0.05, 12), min_size=1, max_size=6),
)
def test_every_choice_of_prices_and_windows_is_valid(instance, seed, chosen, cuts):
    """Not only the prices and windows that are chosen well."""
    workload, fleet = instance
    if max(m.base_s for m in fleet.hardware.service.affine_minorants()) <= 0:
        return
    starts = np.unique(np.concatenate([[workload.arrival_s[0]], workload.arrival_s[0] + np.array(cuts)]))
    for reading in READINGS if fleet.size == 1 else READINGS[:1]:
        progress = reading(workload, fleet.hardware)
        delay = np.zeros(len(starts))
        if progress.kinds.apart:
            delay = a_delay(workload, fleet, progress).upto_s(workload, starts[1:])
        solution = solve(congestion_programme(workload, fleet, progress, (0.0, *chosen), starts, delay))
        assert solution.status == "optimal"
        for k in range(3):
            assert -solution.value <= total_latency(workload, fleet, seed + k) * (1 + 1e-6)


def a_delay(workload, fleet, progress):
    sound = standalone(sound_minorants(fleet.hardware, int(workload.input_tokens.min())))
    delay, _ = PrefillDelay.best(workload, sound, progress.floor)
    return delay


SERVICE = Affine(0.012, 60e-6, 50e-6, 0.0)


def test_long_paths_reach_the_hull_of_the_fluid_equilibrium():
    """One class: per request (1 - share of time on prefill) times the fluid latency, up to the path's ends."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / 7, 20_000))
    work = Workload.of(arrivals, np.full(20_000, 500), np.full(20_000, 250))
    fleet = Fleet.identical(Hardware("gpu", SERVICE, 10**7, 256))
    bound, _ = congestion_bound_s(work, fleet)
    fluid = equilibrium(work, fleet).latency_s[0]
    hull = (1 - work.rate_per_s * 500 * 60e-6) * fluid
    assert 0.96 * hull <= float(bound) / len(work) <= fluid


def test_lone_requests_are_exact():
    """Far apart, every request takes its critical path."""
    work = Workload.of([0, 100, 200], [100, 200, 300], [10, 20, 30])
    fleet = Fleet.identical(Hardware("gpu", SERVICE, 10**7, 256))
    bound, _ = congestion_bound_s(work, fleet)
    path = sum(
        SERVICE.iteration_s(Batch(prompt_tokens=int(i))) + (int(o) - 1) * SERVICE.iteration_s(Batch(num_seqs=1))
        for i, o in zip(work.input_tokens, work.output_tokens, strict=True)
    )
    assert float(bound) == pytest.approx(path, rel=1e-6)


@settings(max_examples=12)
@given(instances(sizes=(1, 2)))
def test_monotone_in_instances(instance):
    """For fixed prices and windows the optimum falls with the number of instances."""
    workload, fleet = instance
    progress = Participations.of(workload, fleet.hardware)
    price = best_price(progress, 6.0)
    chosen = (0.0, price / 2, price, price * 2)
    starts = workload.arrival_s[0] + np.arange(6.0)
    few = solve(congestion_programme(workload, fleet, progress, chosen, starts)).value
    bigger = Fleet.identical(fleet.hardware, fleet.size + 1)
    many = solve(congestion_programme(workload, bigger, progress, chosen, starts)).value
    assert -many <= -few * (1 + 1e-6) + 1e-9


def recorded_schedule(workload, hw, seed):
    """Iterations (start, length, requests prefilled, tokens read by each that decodes) and completions of a random
    schedule of whole prompts, never preempted; iterations last a little longer than the affine model says."""
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
        reads = {i: workload.input_tokens[i] + workload.output_tokens[i] - left[i] - 1 for i in batch}
        own = [service.prompt_token_s * workload.input_tokens[i] for i in new]
        own += [service.sequence_s + service.kv_token_s * read for read in reads.values()]
        length = (service.base_s + sum(own)) * rng.choice([1.0, 1.0, 1.1])
        iterations.append((now, length, new, reads))
        now += length
        started += new
        for i in (*new, *batch):
            left[i] -= 1
            done[i] = now if left[i] == 0 else 0.0
    return iterations, done


def overlap(start, end, low, high):
    return max(0.0, min(end, high) - max(start, low))


@settings(max_examples=40)
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
    starts = np.unique(work.arrival_s[0] + np.array([0.0, *cuts]))
    iterations, done = recorded_schedule(work, hw, seed)
    edges = np.append(starts, done.max() + 1.0)
    for reading in READINGS:
        progress = reading(work, hw)
        delay = a_delay(work, Fleet.identical(hw), progress)
        cost = prefill_cost(work, iterations, done, progress, delay, edges) if progress.kinds.apart else np.zeros(0)
        owed = delay.upto_s(work, starts[1:]) if progress.kinds.apart else np.zeros(len(starts))
        lp = congestion_programme(work, Fleet.identical(hw), progress, (0.0, 0.2, 1.0, 9.0), starts, owed)
        did = np.zeros((len(progress.parts), len(starts)))
        for start, length, prompts, contexts in iterations:
            share = [overlap(start, start + length, *edges[w : w + 2]) / length for w in range(len(starts))]
            lengths_now = [(int(work.input_tokens[i]), int(work.input_tokens[i]), 0) for i in prompts]
            did += np.outer(made_by(progress, lengths_now, contexts.values()), share)
        arrived = np.zeros_like(did)
        for i, a in enumerate(work.arrival_s):
            arrived[:, np.searchsorted(starts, a, side="right") - 1] += progress.parts[:, i]
        left = np.cumsum(arrived - did, axis=1)
        present = np.array(
            [
                sum(overlap(a, c, *edges[w : w + 2]) for a, c in zip(work.arrival_s, done, strict=True))
                for w in range(len(starts))
            ]
        )
        totals = np.where(progress.totals > 0, progress.totals, 1.0)
        unit = -lp.objective[0]
        paid = cost if len(cost) else np.zeros(len(starts))
        point = np.concatenate([present / unit, paid / unit, (left / totals[:, None]).ravel()])
        assert (lp.matrix @ point <= lp.rhs + 1e-7).all()
        assert -lp.objective @ point == pytest.approx(np.sum(done - work.arrival_s))


def prefill_cost(work, iterations, done, progress, delay, edges):
    """The increase of Z over each window, from its definition: the integral of N dE + g U (dt - dE)."""
    size = np.minimum(prefill_s(work, progress.floor), delay.most_s)
    g = 1 / max(float(size.max()), 1e-12)
    moments = {*edges.tolist(), *work.arrival_s.tolist(), *done.tolist()}
    moments |= {t for start, length, *_ in iterations for t in (start, start + length)}
    points = sorted(t for t in moments if t <= edges[-1])
    found = np.zeros(len(edges) - 1)
    for low, high in itertools.pairwise(points):
        middle = (low + high) / 2
        number = sum(a <= low and c >= high for a, c in zip(work.arrival_s, done, strict=True))
        running = [it for it in iterations if it[0] <= low and it[0] + it[1] >= high]
        rate = sum(size[i] for _, _, prompts, _ in running for i in prompts) / running[0][1] if running else 0.0
        waiting = sum(size[i] for i in range(len(size)) if work.arrival_s[i] <= low)
        for start, length, prompts, _ in iterations:
            part = min(max((middle - start) / length, 0.0), 1.0)
            waiting -= part * sum(size[i] for i in prompts)
        found[np.searchsorted(edges, low, side="right") - 1] += (high - low) * (
            number * rate + g * waiting * (1 - rate)
        )
    return found


def test_hinged_models_choose_among_their_minorants():
    """The bound of a hinged model is at least that of either affine side it is made of, up to the grid."""
    rng = np.random.default_rng(5)
    work = Workload.of(np.cumsum(rng.exponential(0.2, 400)), rng.integers(50, 900, 400), rng.integers(20, 300, 400))
    flat = (0.011, 3.5e-5, 5e-5, 3.5e-7)
    values = [
        float(congestion_bound_s(work, Fleet.identical(Hardware("gpu", service, 137_000, 256)))[0])
        for service in (Affine(*flat), Hinged(*flat, 174.0, 3.8e-5, 2.8e-9))
    ]
    assert values[1] >= values[0] * 0.999
