"""Random schedules of tiers of requests on fleets of several chips; they share no code with engine or bounds."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from fluid import ClassRate
from fluid.fleets.tier import Tier
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Batch
from tests.support.schedules import service_models


@dataclass
class Job:
    """A request in the scheduler below: where its KV is, what it has emitted and when."""

    kind: int
    prompt: int
    output: int
    arrival: float
    place: int | None = None
    cached: int = 0
    emitted: int = 0
    busy: bool = False
    times: list[float] = field(default_factory=list)

    @property
    def done(self):
        return len(self.times) == self.output

    @property
    def ttft(self):
        return self.times[0] - self.arrival

    @property
    def gap(self):
        """The longest one."""
        return max((b - a for a, b in itertools.pairwise(self.times)), default=0.0)

    @property
    def mean_gap(self):
        return (self.times[-1] - self.times[0]) / (self.output - 1) if self.output > 1 else 0.0

    def pace(self, ttft):
        """Smallest TPOT with which every token i comes by ``ttft + i TPOT``; the first one must come by `ttft`."""
        late = (t - self.arrival - ttft for t in self.times[1:])
        return max((one / i for i, one in enumerate(late, 1)), default=0.0)


def play(rng, requests, fleets, most_s):
    """Run random batches: chunks, pauses, eviction with recomputation, free migration. Returns the end of the last."""
    hardware = [fleet.hardware for fleet in fleets for _ in range(fleet.size)]
    free, running = [0.0] * len(hardware), [[] for _ in hardware]
    greed, cut = rng.choice([0.5, 0.9, 1.0]), rng.random() < 0.5
    end = 0.0
    while any(r.emitted < r.output for r in requests) and min(free) <= most_s:
        i = free.index(min(free))
        now = free[i]
        for r in running[i]:
            r.busy = False
        running[i], batch = _batch(rng, requests, hardware[i], i, now, greed, cut)
        if not running[i]:
            free[i] = now + rng.choice([0.01, 0.1])
            continue
        free[i] = now + hardware[i].service.iteration_s(batch)
        end = max(end, free[i])
        for r in running[i]:
            if r.cached == r.prompt + r.emitted:
                _emit(r, free[i])
    return end


def _batch(rng, requests, hw, place, now, greed, cut):
    """Who takes part in an iteration, moved on by their tokens, and what it processes."""
    ready = [r for r in requests if r.arrival <= now and r.emitted < r.output and not r.busy]
    for r in ready:
        if r.cached and rng.random() < 0.02:
            r.cached, r.place = 0, None
    rng.shuffle(ready)
    room = hw.kv_capacity_tokens - sum(r.cached for r in requests if r.place == place)
    chosen, prompt, attention, past, seqs, reads = [], 0, 0.0, 0, 0, 0
    for r in ready:
        left = r.prompt + r.emitted - r.cached
        decoding = r.emitted > 0 and left == 1
        tokens = 1 if decoding else rng.randint(1, left) if cut else left
        extra = tokens + (0 if r.place == place else r.cached)
        abroad = r.place not in (None, place) and rng.random() < 0.9
        if len(chosen) == hw.max_num_seqs or rng.random() > greed or extra > room or abroad:
            continue
        room -= extra
        if decoding:
            seqs, reads = seqs + 1, reads + r.cached
        else:
            prompt, past, attention = prompt + tokens, past + r.cached, attention + tokens * (r.cached + tokens / 2)
        r.place, r.busy, r.cached = place, True, r.cached + tokens
        chosen.append(r)
    return chosen, Batch(prompt, attention, past, seqs, reads)


def _emit(r, now):
    r.times.append(now)
    r.emitted += 1
    if r.emitted == r.output:
        r.cached, r.place = 0, None


@st.composite
def fleets(draw, most=2):
    found = []
    for k in range(draw(st.integers(1, most))):
        hw = Hardware(f"chip{k}", draw(service_models()), draw(st.integers(25, 120)), draw(st.integers(1, 6)))
        found.append(Fleet.identical(hw, draw(st.integers(1, 2))))
    return found


def check_schedule(fleet, seed, bound_of, tpot_of):
    """Goodput of a random schedule against a bound.

    Limits are quantiles of what the schedule itself achieved, so that some requests are good and some are not. The
    TPOT limit is compared with ``tpot_of(request, TTFT limit)``.
    """
    rng = random.Random(seed)
    shapes = [(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(rng.randint(1, 3))]
    tier_of = [rng.randrange(2) for _ in shapes]
    kinds = [rng.randrange(len(shapes)) for _ in range(rng.randint(1, 14))]
    requests = [Job(k, *shapes[k], arrival=rng.choice([0.0, 0.0, 0.5, 3.0])) for k in kinds]
    end = play(rng, requests, fleet, 60.0)
    done = [r for r in requests if r.done]
    tiers, kept, good = [], [], 0.0
    for t in {tier_of[r.kind] for r in done}:
        mine = [r for r in done if tier_of[r.kind] == t]
        ttft = rng.choice([*(r.ttft * (1 + 1e-9) for r in mine), math.inf])
        early = [r for r in mine if r.ttft <= ttft]
        tpot = max(rng.choice([tpot_of(r, ttft) for r in early]) * (1 + 1e-9), 1e-3)
        served = [r for r in early if tpot_of(r, ttft) <= tpot]
        tier = Tier(str(t), tpot, _rates(mine, end), ttft, rng.choice([1.0, 2.5]))
        tiers.append(tier)
        kept.append(replace(tier, classes=_rates(served, end)))
        good += tier.weight * len(served)
    if not done:
        return
    bound = bound_of(tiers, fleet).bound
    assert bound.certified
    assert good <= bound.value * end * (1 + 1e-9)
    assert bound_of(kept, fleet, scaled=True).bound.value >= 1 - 1e-9


def _rates(jobs, end):
    """Classes of the requests that completed within `end` seconds."""
    shapes = [(r.prompt, r.output) for r in jobs]
    return tuple(ClassRate(shapes.count(shape) / end, *shape) for shape in sorted(set(shapes)))
