"""Random faults follow their law, and one stream for each part."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from orsched import Fleet, Group, Start, hardware, simulate, workload
from orsched.errors import InputError
from orsched.faults import InstanceFault, LinkFault, StartUpFault
from orsched.faults_schedule import Breakdowns, FaultSchedule
from policies.vllm_v1 import vllm_v1

SEED = np.random.SeedSequence(3)
BOTH = FaultSchedule(1000, Breakdowns(100, 10), Breakdowns(40, 5), 0.5)


def of(schedule, kind, instance, size=5):
    return [f for f in schedule.draw(size, SEED) if isinstance(f, kind) and f.instance == instance]


def test_same_seed_same_faults_in_order_of_time():
    """Claim: a schedule is a function of its law, the size and the seed; faults are sorted and within the horizon."""
    found = BOTH.draw(5, SEED)
    assert found == BOTH.draw(5, np.random.SeedSequence(3))
    assert found != BOTH.draw(5, np.random.SeedSequence(4))
    times = [fault.at_s for fault in found]
    assert times == sorted(times)
    assert all(0 < time_s < 1000 for time_s in times)


def test_a_part_s_faults_depend_on_nothing_else():
    """Claim: neither the size of the fleet nor the other kind of fault changes the faults of an instance."""
    alone = FaultSchedule(1000, instances=Breakdowns(100, 10))
    assert of(BOTH, InstanceFault, 2) == of(BOTH, InstanceFault, 2, size=9) == of(alone, InstanceFault, 2)
    assert of(BOTH, InstanceFault, 1) != of(BOTH, InstanceFault, 2)


def test_faults_of_one_part_do_not_overlap():
    """Claim: the next fault begins after the repair."""
    for kind in (InstanceFault, LinkFault):
        found = of(BOTH, kind, 0)
        assert len(found) > 3
        assert all(a.at_s + a.for_s < b.at_s for a, b in itertools.pairwise(found))
    assert {fault.factor for fault in of(BOTH, LinkFault, 0)} == {0.5}


def test_means_are_those_of_the_law():
    """Claim: over 2,000 instances, mean repair time and faults per second agree within 5 standard errors."""
    between, repair, horizon, size = 100.0, 10.0, 2000.0, 2000
    found = FaultSchedule(horizon, Breakdowns(between, repair)).draw(size, SEED)
    repairs = np.array([fault.for_s for fault in found])
    assert abs(repairs.mean() - repair) < 5 * repair / np.sqrt(len(repairs))
    # Renewals of cycles of mean mu from a working start: N(t) = t / mu + (var / mu^2 + 1) / 2 - 1 + repair / mu.
    mean, variance = between + repair, between**2 + repair**2
    expected = horizon / mean + (variance / mean**2 - 1) / 2 + repair / mean
    deviation = np.sqrt(horizon * variance / mean**3)
    assert abs(len(found) / size - expected) < 5 * deviation / np.sqrt(size)


def test_start_ups_fail_by_a_law_of_their_own():
    """Claim: each start-up fault lets one start fail; counts are those of a Poisson process (mean and
    variance within 5 standard errors); the law leaves the other faults as they were, and without it there are none."""
    law = replace(BOTH, start_up_mean_between_s=25)
    found = law.draw(2000, SEED)
    others = tuple(fault for fault in found if not isinstance(fault, StartUpFault))
    assert others == BOTH.draw(2000, SEED)
    starts = [fault for fault in found if isinstance(fault, StartUpFault)]
    assert {fault.attempts for fault in starts} == {1}
    counts = np.bincount([fault.instance for fault in starts], minlength=2000)
    assert abs(counts.mean() - 40) < 5 * np.sqrt(40 / 2000)  # a Poisson process of rate 1/25 for 1,000 seconds
    assert abs(counts.var() - 40) < 5 * 40 * np.sqrt((2 + 1 / 40) / 2000)
    assert of(law, StartUpFault, 2) == of(law, StartUpFault, 2, size=9) != of(law, StartUpFault, 1)


def test_a_drawn_start_up_fault_lets_a_start_fail():
    """Claim: a spare instance that is ordered to start fails as often as faults were drawn before its first start."""
    faults = FaultSchedule(1.0, start_up_mean_between_s=0.3).draw(2, np.random.SeedSequence(5))
    mine = [fault for fault in faults if fault.instance == 1]
    assert len(mine) > 1
    gpu = hardware("reference")
    fleet = Fleet((Group(gpu), Group(gpu, off=1, start_up_s=0.5)))
    start = replace(
        vllm_v1().routed_by(lambda view, request: 0),
        control=lambda view: [Start(1)] if view.now_s >= 2 else [],
        control_every_s=0.25,
    )
    run = simulate(workload("reference").head(200), fleet, start, faults=faults)
    assert run.log.count("start-failed") == len(mine)
    assert run.log.count("ready") == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Breakdowns(0, 1), "mean_between_s = 0: must be"),
        (lambda: Breakdowns(1, float("inf")), "mean_repair_s = inf"),
        (lambda: FaultSchedule(0), "horizon_s = 0"),
        (lambda: FaultSchedule(1, link_factor=2), "link_factor = 2"),
        (lambda: FaultSchedule(1e6, Breakdowns(1e-3, 1e-3)).draw(1, SEED), "more than 1,000,000 faults"),
        (lambda: BOTH.draw(0, SEED), "size = 0"),
        (lambda: FaultSchedule(1, start_up_mean_between_s=0), "start_up_mean_between_s = 0: must be"),
        (
            lambda: FaultSchedule(1e6, start_up_mean_between_s=1e-3).draw(3, SEED),
            "start_up_mean_between_s = 0.001: 3 instances would have more than 1,000,000 faults",
        ),
    ],
)
def test_what_is_no_schedule_is_refused(make, message):
    """Claim: the field is named; a law with absurdly many faults is refused before it is drawn."""
    with pytest.raises(InputError, match=message):
        make()
