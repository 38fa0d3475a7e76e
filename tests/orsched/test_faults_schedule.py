"""Random faults follow their law, and one stream for each part."""

import itertools

import numpy as np
import pytest

from orsched.errors import InputError
from orsched.faults import InstanceFault, LinkFault
from orsched.faults_schedule import Breakdowns, FaultSchedule

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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Breakdowns(0, 1), "mean_between_s = 0: must be"),
        (lambda: Breakdowns(1, float("inf")), "mean_repair_s = inf"),
        (lambda: FaultSchedule(0), "horizon_s = 0"),
        (lambda: FaultSchedule(1, link_factor=2), "link_factor = 2"),
        (lambda: FaultSchedule(1e6, Breakdowns(1e-3, 1e-3)).draw(1, SEED), "more than 1,000,000 faults"),
        (lambda: BOTH.draw(0, SEED), "size = 0"),
    ],
)
def test_what_is_no_schedule_is_refused(make, message):
    """Claim: the field is named; a law with absurdly many faults is refused before it is drawn."""
    with pytest.raises(InputError, match=message):
        make()
