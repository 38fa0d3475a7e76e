"""Modes of batch compositions dominate every iteration, at any operating point and beside any side work."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fluid import ClassRate
from fluid.demand import Rates
from fluid.modes import (
    CAPACITY,
    POWER,
    ModeTable,
    Participant,
    batch_modes,
    hull_number,
    mode_lp,
    most,
    participation_worths,
    seat_ranges,
    serving_participants,
)
from fluid.modes.polytope import clip
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged
from orsched.workloads import Workload
from tests.support.closed_form import participation_s
from tests.support.schedules import random_schedule, service_models

GPU = Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 40_000, 64)
DEMAND = [ClassRate(3.0, 500, 100), ClassRate(1.0, 60, 300)]


def modes_of(hardware, demand=DEMAND, **labels):
    rates = Rates.of(demand)
    kinds, wanted = serving_participants(rates)
    return batch_modes(hardware, kinds, (1, hardware.max_num_seqs), least_prompt=rates.least_prompt, **labels), wanted


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(1, 3), st.integers(0, 2**32))
def test_clipping_keeps_every_point(kinds, cuts, seed):
    """A point of the cut simplex is a mixture of the points that are kept, and all of those lie in it."""
    rng = np.random.default_rng(seed)
    functions = [rng.normal(size=kinds) for _ in range(cuts)]
    points = np.eye(kinds)
    for before, cut in enumerate(functions):
        points = clip(points, points @ cut, before)
    inside = rng.dirichlet(np.ones(kinds), 40)
    inside = inside[np.all([inside @ cut <= 0 for cut in functions], axis=0)]
    for cut in functions:
        assert (points @ cut <= 1e-9).all()
    for point in inside[:5]:
        found = linprog(
            np.zeros(len(points)), A_eq=np.vstack([points.T, np.ones(len(points))]), b_eq=np.append(point, 1)
        )
        assert found.status == 0


@settings(max_examples=25)
@given(service_models(), st.integers(10, 60), st.integers(1, 5), st.integers(0, 2**32))
def test_every_iteration_is_dominated(service, capacity, most_seats, seed):
    """Whatever a real batch gets done, modes get done in no more time with no more requests present."""
    hw = Hardware("gpu", service, capacity, most_seats)
    demand = [ClassRate(1.0, 2, 5), ClassRate(1.0, 8, 3)]
    kinds, wanted = serving_participants(Rates.of(demand), prefill_nodes=9, decode_nodes=9)
    tables = [batch_modes(hw, kinds, seats, least_prompt=2) for seats in seat_ranges(most_seats)]
    table = ModeTable.joined(tables)
    rng = np.random.default_rng(seed)
    reads = [2, 3, 4, 5, 8, 9]
    for _ in range(5):
        done, batch, held, count = dict.fromkeys(wanted, 0.0), Batch(), 0, int(rng.integers(1, most_seats + 1))
        for _ in range(count):
            if rng.random() < 0.5:
                length = int(rng.choice([2, 8]))
                past = int(rng.integers(0, length))
                chunk = int(rng.integers(1, length - past + 1))
                attention = chunk * (past + chunk / 2)
                done[f"prefill of {length} tokens"] += chunk / length
                done["prompt attention"] += attention
                batch = Batch(*np.add(batch, (chunk, attention, past, 0, 0, 0)))
                held += past + chunk
            else:
                n = int(rng.choice(reads))
                done[f"decode reading {n} tokens"] += 1
                batch = Batch(*np.add(batch, (0, 0, 0, 1, n, 0)))
                held += n + 1
        if held > capacity:
            continue
        time = service.iteration_s(batch)
        rows = [-table.rates(name) for name in wanted] + [np.ones(len(table))]
        limits = [-done[name] / time for name in wanted] + [1 + 1e-9]
        found = linprog(table.rates("present"), A_ub=np.array(rows), b_ub=limits)
        assert found.status == 0
        assert found.fun <= count * (1 + 1e-7)


def test_operating_points_are_modes_of_one_chip():
    """A slow clock at low power and a fast one: their mix draws no more than either, and time is shared."""
    slow = replace(GPU, service=Affine(0.012, 100e-6, 80e-6, 0.12e-6))
    fast, wanted = modes_of(GPU, chip="gpu", power_w=400.0)
    calm, _ = modes_of(slow, chip="gpu", power_w=250.0)
    both = ModeTable.joined([fast, calm])
    heavy = {name: 2.4 * rate for name, rate in wanted.items()}
    mixed = mode_lp(both, heavy, POWER, instances={"gpu": 1})
    alone = [mode_lp(table, wanted, CAPACITY, instances={"gpu": 1}).value for table in (fast, calm)]
    assert alone[0] > alone[1]
    assert mixed.value <= mode_lp(fast, heavy, POWER, instances={"gpu": 1}).value
    assert sum(share for _, share in mixed.mix) <= 1 + 1e-9


def test_side_work_is_one_more_participant():
    """Fine-tuning tokens fill what serving leaves: in closed form for an affine model."""
    rates = Rates.of(DEMAND)
    kinds, wanted = serving_participants(rates)
    side = Participant(Batch(prompt_tokens=64), 0.0, {"tuning_tokens": 64.0})
    modes = batch_modes(GPU, [*kinds, side], (1, 64), least_prompt=rates.least_prompt)
    plan = mode_lp(modes, wanted, most("tuning_tokens"), instances={"gpu": 1})
    work = float(rates.rate_per_s @ GPU.service.affine_minorants()[0].work_s(rates.work))
    seats = float(rates.rate_per_s @ rates.work.iterations)
    memory = float(rates.rate_per_s @ rates.work.kv_volume) / 40_000
    grid = np.linspace(max(memory, seats / 64), (1 - work) / 0.012, 200_001)
    tokens = np.minimum((1 - work - 0.012 * grid) / 60e-6, 64 * (64 * grid - seats))
    assert plan.value == pytest.approx(tokens.max(), rel=1e-4)


def test_several_chips():
    """A cheap slow chip and a dear fast one share a demand that neither serves alone."""
    small = replace(GPU, name="small", service=Affine(0.03, 150e-6, 120e-6, 0.4e-6), kv_capacity_tokens=15_000)
    fast, wanted = modes_of(GPU)
    slow, _ = modes_of(small)
    both = ModeTable.joined([fast, slow])
    alone = [mode_lp(t, wanted, CAPACITY, instances={t.chips[0]: 1}).value for t in (fast, slow)]
    together = mode_lp(both, wanted, CAPACITY, instances={"gpu": 1, "small": 1})
    assert together.value >= sum(alone) * (1 - 1e-9)
    assert {mode.chip for mode, _ in together.mix} == {"gpu", "small"}


def test_no_positive_base_is_refused():
    class Free:
        """A model whose only minorant has no base."""

        def affine_minorants(self):
            return (replace(Affine(1.0, 1.0, 1.0, 1.0).affine_minorants()[0], base_s=0.0),)

    with pytest.raises(InputError, match="positive base"):
        modes_of(replace(GPU, service=Free()))


def test_worths_of_one_minorant():
    """Without memory limits the worth of a participation is phi_c, a minimum over batch sizes."""
    hw = Hardware("gpu", Affine(0.012, 2e-4, 50e-6, 1.2e-4), 10**9, 64)
    rates = Rates.of([ClassRate(40.0, 40, 3)])
    kinds, wanted = serving_participants(rates)
    modes = ModeTable.joined([batch_modes(hw, kinds, seats, least_prompt=40) for seats in seat_ranges(64)])
    worths = participation_worths(modes, wanted, 3.0)
    works = np.array([2e-4 * 40, 50e-6 + 1.2e-4 * 40, 50e-6 + 1.2e-4 * 41])
    expected = participation_s(hw.service.affine_minorants()[0], 64, 3.0, works)
    names = ["prefill of 40 tokens", "decode reading 40 tokens", "decode reading 41 tokens"]
    assert [worths[name] for name in names] == pytest.approx(expected.tolist(), rel=1e-6)
    with pytest.raises(InputError, match="price"):
        participation_worths(modes, wanted, -1.0)


@settings(max_examples=15)
@given(service_models(), st.integers(0, 2**32), st.floats(0, 20))
def test_worths_hold_on_schedules(service, seed, price):
    """Sum of latencies + c * makespan pays for everything done, on any schedule: the lemma of the congestion bound."""
    rng = np.random.default_rng(seed)
    inputs, outputs = rng.integers(1, 9, 6), rng.integers(1, 9, 6)
    workload = Workload.of(np.sort(rng.choice([0.0, 0.5, 2.0], 6)), inputs, outputs)
    fleet = Fleet.identical(Hardware("gpu", service, 30, 4))
    demand = [ClassRate(1.0, *row) for row in zip(inputs.tolist(), outputs.tolist(), strict=True)]
    kinds, amounts = serving_participants(Rates.of(demand))
    modes = ModeTable.joined(
        [batch_modes(fleet.hardware, kinds, seats, least_prompt=int(inputs.min())) for seats in seat_ranges(4)]
    )
    worths = participation_worths(modes, amounts, price)
    _, done = random_schedule(workload, fleet, seed)
    paid = (done - workload.arrival_s).sum() + price * (done.max() - workload.arrival_s[0])
    assert sum(worths[name] * amount for name, amount in amounts.items()) <= paid * (1 + 1e-9)


def test_hinged_hull_is_above_each_minorant():
    """All minorants at once bound at least as well as any one alone."""
    hinged = Hinged(0.01, 1e-5, 1e-5, 1e-7, 64, 5e-5)
    flat, steep = hinged.affine_minorants()
    demand = [ClassRate(20.0, 100, 50)]
    whole = hull_number(demand, Fleet.identical(Hardware("gpu", hinged, 50_000, 256))).bound.value
    one = Affine(flat.base_s, flat.prompt_token_s, flat.sequence_s, flat.kv_token_s)
    other = Affine(steep.base_s, steep.prompt_token_s, steep.sequence_s, steep.kv_token_s)
    for service in (one, other):
        assert hull_number(demand, Fleet.identical(Hardware("gpu", service, 50_000, 256))).bound.value <= whole * (
            1 + 1e-9
        )
