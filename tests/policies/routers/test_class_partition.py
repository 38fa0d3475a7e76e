"""A tier of its own for every class."""

from dataclasses import replace

import numpy as np
import pytest

from orsched import Fleet, Group, Hardware, InstanceFault, RequestClass, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies.routers import ClassPartition, divided, join_shortest_queue, round_robin
from policies.vllm_v1 import vllm_v1

HARDWARE = Hardware("h", Affine(0.1, 0.001, 0.0, 0.0), 4000, 8, kv_bytes_per_token=1.0)
CLASSES = tuple(RequestClass(name) for name in "abc")


def work(labels):
    """One request of each class in the list, all at once."""
    n = len(labels)
    return Workload.of([0.0] * n, [20] * n, [5] * n, class_id=labels, classes=CLASSES)


def tiers(*named, role="mixed"):
    """Groups of (tier, size)."""
    return tuple(Group(HARDWARE, size, role, tier=tier) for tier, size in named)


def test_classes_take_the_tiers_in_order():
    """Claim: class 0 has instances 0 and 1, class 1 instance 2, class 2 those of class 0 again; in each the fewest."""
    fleet = Fleet(tiers(("x", 2), ("y", 1)))
    run = simulate(work([0, 0, 0, 1, 1, 2]), fleet, vllm_v1().routed_by(ClassPartition()))
    assert run.instance.tolist() == [0, 1, 0, 2, 2, 1]


def test_tiers_by_name():
    """Claim: named tiers are used as given, wherever they are; a class without one is an error."""
    fleet = Fleet(tiers(("x", 1), ("y", 2)))
    router = ClassPartition(round_robin, ("y", "x"))
    assert simulate(work([0, 1, 0, 1, 0]), fleet, vllm_v1().routed_by(router)).instance.tolist() == [1, 0, 2, 0, 1]
    with pytest.raises(InputError, match="names 2 tiers; request 0 is of class 2"):
        simulate(work([2]), fleet, vllm_v1().routed_by(router))


def test_one_pool_without_tiers():
    """Claim: a fleet without tiers is one pool."""
    run = simulate(work([0, 1, 2]), Fleet.identical(HARDWARE, 3), vllm_v1().routed_by(ClassPartition()))
    assert run.instance.tolist() == [0, 1, 2]


def test_finished_prompts_stay_with_their_class():
    """Claim: `place` keeps classes apart on decoding instances."""
    fleet = Fleet((*tiers(("x", 1), ("y", 1), role="prefill"), *tiers(("y", 2), ("x", 1), role="decode")))
    router = ClassPartition()
    policy = replace(vllm_v1().routed_by(router), place=router.place)
    run = simulate(work([0, 0, 1, 1, 0, 1]), fleet, policy)
    assert set(run.instance[[0, 1, 4]]) == {4}
    assert set(run.instance[[2, 3, 5]]) <= {2, 3}


def test_the_inner_router_sees_the_whole_fleet_again_afterwards():
    """Claim: the choice is narrowed only while the inner router is asked."""
    fleet = Fleet(tiers(("x", 1), ("y", 2)))
    seen = []

    def noting(view, request, /):
        inner = ClassPartition(lambda v, r: seen.append(v.members()) or v.members()[0])(view, request)
        seen.append(view.members())
        return inner

    simulate(work([1]), fleet, vllm_v1().routed_by(noting))
    assert seen == [(1, 2), (0, 1, 2)]


def test_a_class_waits_for_its_instances():
    """Claim: while the only instance of its tier is dead, a request stays with the router; then it is served there."""
    fleet = Fleet(tiers(("x", 1), ("y", 1)))
    late = Workload.of([0.0, 1.0], [20, 20], [5, 5], class_id=[0, 1], classes=CLASSES)
    run = simulate(late, fleet, vllm_v1().routed_by(ClassPartition()), faults=(InstanceFault(0.5, 1, 10.0),))
    assert run.instance.tolist() == [0, 1]
    assert run.first_scheduled_s[1] >= 10.0
    assert np.isfinite(run.completion_s).all()


def test_sizes_by_shares():
    """Claim: seven instances in shares 1 : 1 : 2 are 1.75, 1.75, 3.5, that is 2, 2, 3 by largest remainders."""
    fleet = divided(Fleet.identical(HARDWARE, 7), ("a", "b", "c"), (1, 1, 2))
    assert [(group.tier, group.size) for group in fleet.groups] == [("a", 2), ("b", 2), ("c", 3)]
    run = simulate(work([2, 2, 0, 1]), fleet, vllm_v1().routed_by(ClassPartition(join_shortest_queue)))
    assert run.instance.tolist() == [4, 5, 0, 2]


@pytest.mark.parametrize(
    ("fleet", "names", "shares", "message"),
    [
        (Fleet.identical(HARDWARE, 2), ("a", "b"), (1,), "2 tiers and 1 shares"),
        (Fleet.identical(HARDWARE, 2), ("a", "b"), (1, 0), "share of tier 'b' = 0"),
        (Fleet.identical(HARDWARE, 1), ("a", "b"), (1, 1), "tier 'b' gets none of the 1 instances"),
        (Fleet((Group(HARDWARE, 3, off=1),)), ("a",), (1,), "has 1 instances that are off"),
    ],
)
def test_impossible_divisions(fleet, names, shares, message):
    """Claim: refused with what is wrong."""
    with pytest.raises(InputError, match=message):
        divided(fleet, names, shares)


@pytest.mark.parametrize("bad", [(), ("x", 3), ["x"]])
def test_bad_tiers(bad):
    """Claim: tiers are a tuple of names."""
    with pytest.raises(InputError, match=r"ClassPartition\.tiers"):
        ClassPartition(tiers=bad)
