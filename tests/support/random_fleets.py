"""Random fleets with roles, links, migrations at random and faults, for laws that must hold in all of them."""

import zlib
from dataclasses import dataclass, replace

import numpy as np
from laws import assert_same

from orsched import (
    EVERY,
    KEEP,
    REJECT,
    SLO,
    Assign,
    Fleet,
    Group,
    Hardware,
    InstanceFault,
    Link,
    LinkFault,
    Migrate,
    Policy,
    RequestClass,
    Role,
    Run,
    StagedCopy,
    Start,
    StartUpFault,
    Stop,
    Workload,
    simulate,
)
from orsched.engine.actions import Action
from orsched.faults import Fault
from orsched.policy import least_kv_decoder
from orsched.service import Affine
from policies import RECIPES, ROUTERS
from policies.vllm_v1 import vllm_v1

LENGTHS = 60
LAST_ORDERS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a simulation needs."""

    workload: Workload
    fleet: Fleet
    policy: Policy
    faults: tuple[Fault, ...]

    def run(self, **options) -> Run:
        """Simulate it."""
        return simulate(self.workload, self.fleet, self.policy, faults=self.faults, **options)


def random_case(seed: int, router: str = "jsq") -> Case:
    """A prefill-decode fleet, sometimes with mixed instances, under memory pressure; half of them with faults."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    arrivals = rng.exponential(0.05, n).cumsum()
    work = Workload.of(arrivals, rng.integers(1, LENGTHS, n), rng.integers(1, LENGTHS, n))
    fleet = random_fleet(rng, int((work.input_tokens + work.output_tokens).max()))
    policy = replace(
        vllm_v1(), route=ROUTERS[router], control=RandomMoves(seed), control_every_s=float(rng.uniform(0.05, 0.3))
    )
    faults = random_faults(rng, float(arrivals[-1]), fleet.size) if rng.integers(2) else ()
    return Case(work, fleet, policy, faults)


def random_fleet(rng: np.random.Generator, longest: int) -> Fleet:
    """Prefill and decode instances, sometimes mixed ones, whose memory holds one to five of the longest requests."""
    block = int(rng.choice([1, 7, 16]))
    capacity = int(max(120, longest) * rng.uniform(1.1, 5)) // block * block + block
    hardware = Hardware(
        "small",
        Affine(0.01, 1e-4, 1e-3, 1e-5),
        capacity,
        int(rng.integers(2, 12)),
        block,
        kv_bytes_per_token=1000.0,
        keeps_preempted_kv=bool(rng.integers(2)),
    )

    def group(role: str) -> Group:
        link = Link(float(rng.choice([np.inf, 1e5, 1e6, 1e7])), float(rng.choice([0, 0.003])))
        return Group(hardware, int(rng.integers(1, 4)), role, link=link)

    roles = ["prefill", "decode", "mixed"][: int(rng.integers(2, 4))]
    copy = StagedCopy(int(rng.integers(0, 4)), int(rng.integers(0, 20)), float(rng.choice([0, 0.005])))
    return Fleet(tuple(map(group, roles)), copy)


def random_faults(rng: np.random.Generator, last_s: float, size: int) -> tuple[Fault, ...]:
    """Deaths with repair, and links that slow down or drop."""
    deaths = [
        InstanceFault(float(rng.uniform(0, last_s * 1.5)), int(rng.integers(size)), float(rng.uniform(0.05, 1)))
        for _ in range(int(rng.integers(1, 4)))
    ]
    slow = LinkFault(
        float(rng.uniform(0, last_s)), int(rng.integers(size)), float(rng.uniform(0.05, 1)), rng.choice([0, 0.1])
    )
    return (*deaths, slow)


class RandomMoves:
    """A controller that orders migrations at random, the same in every simulation of a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, view):
        rng = np.random.default_rng([self._seed, view.memo.setdefault("ticks", 0)])
        view.memo["ticks"] += 1
        members = view.members(EVERY)
        orders = []
        for source in members:
            decoding = view.decoding(source)
            if decoding and len(members) > 1 and rng.random() < 0.5:
                target = int(rng.choice([i for i in members if i != source]))
                orders.append(Migrate(decoding[int(rng.integers(len(decoding)))], target))
        return orders


def wild_case(seed: int, recipe: str = "vllm-v1", transfers: bool = True) -> Case:
    """A fleet to which everything happens: instances start, fail to start, stop, die and change their tier and role.

    One to nine instances, the groups of most fleets of unequal hardware; several classes; some arrivals at the same
    time and some outputs of one token; a router that keeps and rejects requests, and a placer that lets prompts wait
    and stay.

    Parameters
    ----------
    seed : int
        Decides it all.
    recipe : str
        Name of the policy that plans the batches; it is built for a twentieth of the load, so that more can be.
    transfers : bool
        Whether there are prefill and decode instances, and migrations.

    Raises
    ------
    InputError
        When the policy cannot be built.
    """
    rng = np.random.default_rng([seed, 2])
    n = int(rng.integers(5, 40))
    arrivals = rng.exponential(0.05, n).cumsum()
    if rng.integers(2):
        arrivals = arrivals.round(1)
    outputs = np.where(rng.random(n) < 0.2, 1, rng.integers(1, LENGTHS, n))
    kinds = int(rng.integers(1, 4))
    work = Workload.of(
        arrivals,
        rng.integers(1, LENGTHS, n),
        outputs,
        class_id=rng.integers(0, kinds, n),
        classes=tuple(RequestClass(f"class {k}", SLO(1.0, 0.05)) for k in range(kinds)),
    )
    fleet = wild_fleet(rng, int((work.input_tokens + outputs).max()), transfers)
    batcher = RECIPES[recipe].build(replace(work, arrival_s=20 * work.arrival_s), fleet)
    policy = replace(
        batcher,
        route=WildRouter(seed, most_in_system=int(rng.choice([1, 5, 99]))),
        place=WildPlacer(seed),
        control=WildOrders(seed, moves=transfers, scales=float(rng.choice([0, 0.2]))),
        control_every_s=0.1 if rng.integers(2) else float(rng.uniform(0.05, 0.3)),
    )
    return Case(work, fleet, policy, wild_faults(rng, float(arrivals[-1]), fleet.size) if rng.integers(2) else ())


def wild_fleet(rng: np.random.Generator, longest: int, transfers: bool) -> Fleet:
    """One to three groups of one to three instances, some of them off at first; two in three of unequal hardware."""

    def hardware(name: str) -> Hardware:
        block = int(rng.choice([1, 7, 16]))
        capacity = int(max(120, longest) * rng.uniform(1.1, 5)) // block * block + block
        return Hardware(
            name,
            Affine(0.01, 1e-4, 1e-3, 1e-5),
            capacity,
            int(rng.integers(1, 12)),
            block,
            kv_bytes_per_token=1000.0,
            keeps_preempted_kv=bool(rng.integers(2)),
        )

    def group(number: int, role: str) -> Group:
        size = int(rng.integers(1, 4))
        return Group(
            hardware(f"h{number}") if unequal else same,
            size,
            role,
            tier=[None, "x", "y"][int(rng.integers(3))],
            off=int(rng.integers(0, size + 1)) if rng.integers(2) else 0,
            start_up_s=float(rng.choice([0, 0.1, 0.5])),
            link=Link(float(rng.choice([np.inf, 1e5, 1e7])), float(rng.choice([0, 0.003]))),
        )

    unequal, same = bool(rng.integers(3)), hardware("same")
    copy = StagedCopy(int(rng.integers(0, 4)), int(rng.integers(0, 20)), float(rng.choice([0, 0.005])))
    if not rng.integers(6):
        return Fleet((Group(same, role="prefill" if transfers and rng.integers(2) else "mixed"),), copy)
    roles = ["mixed"] * 3
    if transfers:
        roles = ["prefill", *rng.permutation(["decode", "mixed"])]
    return Fleet(tuple(group(k, str(role)) for k, role in enumerate(roles[: int(rng.integers(1, 4))])), copy)


def wild_faults(rng: np.random.Generator, last_s: float, size: int) -> tuple[Fault, ...]:
    """Those of `random_faults`, at round times in half of the fleets, and starts that fail."""
    faults = random_faults(rng, last_s, size)
    if rng.integers(2):
        faults = tuple(replace(f, at_s=round(f.at_s, 1), for_s=0.1 + round(f.for_s, 1)) for f in faults)
    return (*faults, StartUpFault(0.0, int(rng.integers(size)), int(rng.integers(1, 3))))


def share(*words: object) -> float:
    """A number from 0 to 1 that depends on the words only."""
    return zlib.crc32(repr(words).encode()) / 2**32


@dataclass(frozen=True, slots=True)
class WildRouter:
    """Sends requests to the shortest queue or anywhere; keeps them while all queues are long, or until a tick."""

    seed: int
    most_in_system: int

    def __call__(self, view, request):
        """Decide."""
        members = view.members()
        if share(self.seed, "reject", request) < 0.05:
            return REJECT
        if not members or share(self.seed, "keep", request, view.memo.get("ticks")) < 0.1:
            return KEEP
        if min(map(view.in_system, members)) >= self.most_in_system:
            return KEEP
        if share(self.seed, "any", request) < 0.3:
            return members[int(share(self.seed, "which", request) * len(members))]
        return ROUTERS["jsq"](view, request)


@dataclass(frozen=True, slots=True)
class WildPlacer:
    """Lets some finished prompts stay, some wait until a tick, and sends the others to the emptiest decoder."""

    seed: int

    def __call__(self, view, request):
        """Decide."""
        own = view.instance_of(request)
        if share(self.seed, "wait", request, view.memo.get("ticks")) < 0.1:
            return None
        target = None if share(self.seed, "stay", request) < 0.2 else least_kv_decoder(view, request)
        return own if target is None else target


@dataclass(frozen=True, slots=True)
class WildOrders:
    """Random migrations, starts, stops, tiers and roles; after `LAST_ORDERS` ticks all instances are on and mixed."""

    seed: int
    moves: bool
    scales: float

    def __call__(self, view):
        """Give orders."""
        ticks = view.memo["ticks"] = view.memo.get("ticks", 0) + 1
        rng = np.random.default_rng([self.seed, ticks])
        if ticks > LAST_ORDERS:
            return [order for i in range(view.size) for order in (Start(i), Assign(i, None, Role.MIXED))]
        members = view.members(EVERY)
        orders: list[Action] = []
        for source in members:
            decoding = view.decoding(source)
            if self.moves and decoding and len(members) > 1 and rng.random() < 0.3:
                target = int(rng.choice([i for i in members if i != source]))
                orders.append(Migrate(decoding[int(rng.integers(len(decoding)))], target))
        for i in range(view.size):
            scale, assign = rng.random(2)
            if scale < 2 * self.scales:
                orders.append(Start(i) if scale < self.scales else Stop(i))
            if assign < self.scales:
                role = rng.choice([None, *Role]) if self.moves else None
                orders.append(Assign(i, rng.choice([None, "x", "y"]), role))
        return orders


def assert_same_fleet(left: Run, right: Run) -> None:
    """Two runs agree in everything that is counted or timed, and in their logs."""
    assert_same(left, right)
    for column in ("rejected", "restarts", "migrations"):
        np.testing.assert_array_equal(getattr(left, column), getattr(right, column))
    np.testing.assert_allclose(left.on_s, right.on_s, rtol=1e-9, atol=1e-12)
    logs = (
        sorted((e.kind, str(e.instance), str(e.request), e.detail) for e in run.log.events) for run in (left, right)
    )
    assert next(logs) == next(logs)


def assert_plausible(run: Run) -> None:
    """Everybody has completed with all tokens or was rejected, and nobody was busy or full beyond what there is."""
    done = run.rejected == 0
    np.testing.assert_array_equal(np.isfinite(run.completion_s), done)
    assert (run.first_token_s > run.arrival_s)[done].all()
    assert (run.first_scheduled_s >= run.arrival_s)[done].all()
    np.testing.assert_array_equal((run.completion_s == run.first_token_s)[done], (run.output_tokens == 1)[done])
    assert (run.busy_s <= run.on_s + 1e-6).all()
    assert (run.kv_token_s <= run.kv_capacity_tokens * run.on_s + 1e-6).all()
    assert (run.kv_token_s >= -1e-9).all()
