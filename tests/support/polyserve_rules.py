"""PolyServe's decisions by brute force: every server looked at, every request on it let grow iteration by iteration.

Written from the rules, not from the policy: it keeps no books and no screen, and asks the view about each request.
"""

import math
from dataclasses import dataclass
from types import MappingProxyType

from orsched import SLO, Fleet, Group, Hardware, Link, RequestClass, Workload
from orsched.engine.state import State
from orsched.service import Affine, Batch, Hinged
from policies.polyserve.polyserve import polyserve
from policies.polyserve.settings import PolyServeSettings

DIALECTS = MappingProxyType(
    {
        "default": {},
        "eager": {"promotion": "eager", "promotion_order": "nearest"},
        "none": {"promotion": "none"},
        "nearest": {"promotion_order": "nearest", "least_remaining_tokens": 5},
        "least-loaded": {"order": "least-loaded"},
        "no-kv": {"kv_test": False},
        "no-prefill-term": {"prefill_term": False},
        "cheap": {"k_max": "cheap"},
        "fixed-chunk": {"chunk_tokens": 24},
        "running": {"average_length": "running", "first_length_tokens": 12, "check_every_s": 0.2},
        "fleet": {"average_length": "fleet", "take_over": False},
        "deadline": {"decode_tests": "deadline"},
        "power-off": {"power_off": True, "check_every_s": 0.3},
    }
)
"""Settings that tests go through, by name."""


def grow_to_peak(decoding, queued, new, least):
    """K_max iteration by iteration.

    Parameters
    ----------
    decoding : list of (int, int)
        KV tokens cached, and decode iterations that the average leaves (clipped here to at least `least`).
    queued, new : list of (int, int)
        KV tokens at the start of decoding, and iterations; `new` has one.
    """
    people = [(kv, max(left, least)) for kv, left in [*decoding, *queued, *new]]
    last = max(left for _, left in people)
    return max(sum(kv + t + 1 for kv, left in people if left > t) for t in range(last))


@dataclass
class Naive:
    """The ladder by brute force, for one policy's settings on mixed servers; `decide` says where a request goes."""

    work: Workload
    settings: PolyServeSettings
    lengths: tuple

    def __post_init__(self):
        self.slos = [kind.slo for kind in self.work.classes]
        self.tpots = sorted({slo.tpot_s for slo in self.slos})

    def tier_of_class(self, label):
        return self.tpots.index(self.slos[label].tpot_s)

    def tier_of_server(self, view, server):
        name = view.tier(server)
        if name is None or view.state(server) is not State.SERVING:
            return None
        kinds = [k for k, kind in enumerate(self.work.classes) if kind.name in name.split("+")]
        return self.tier_of_class(kinds[0])

    def decide(self, view, request):
        """The server that the own and the promoted tiers give, or None."""
        own = self.tier_of_class(view.label(request))
        tighter = list(range(own))
        if self.settings.promotion_order == "nearest":
            tighter.reverse()
        tiers = {"lazy": [own, *tighter], "eager": [*tighter, own], "none": [own]}[self.settings.promotion]
        sign = -1 if self.settings.order == "most-loaded" else 1
        for tier in tiers:
            servers = [i for i in range(view.size) if self.tier_of_server(view, i) == tier]
            for server in sorted(servers, key=lambda i: (sign * view.in_system(i), i)):
                if self.admits(view, server, tier, own, request):
                    return server
        return None

    def admits(self, view, server, tier, own, request):
        settings, hw = self.settings, view.hardware(server)
        if not view.in_system(server) and tier == own:
            return True
        tpot = self.tpots[tier]
        waiting, prefilling = list(view.waiting(server)), list(view.prefilling(server))
        decoding = view.decoding(server)
        count = len(waiting) + len(prefilling) + len(decoding)
        assert count == view.in_system(server)
        if count + 1 > hw.max_num_seqs:
            return False
        peak = self.peak(view, decoding, [*waiting, *prefilling], request)
        if peak > hw.kv_capacity_tokens // hw.block_tokens * hw.block_tokens and settings.kv_test:
            return False
        if hw.service.iteration_s(Batch(num_seqs=count + 1, kv_tokens=peak)) > tpot:
            return False
        if settings.chunk_tokens is None and self.mixed(hw, settings.least_chunk_tokens, count, peak) > tpot:
            return False
        slo = self.slos[view.label(request)]
        due = view.arrival_s(request) + slo.ttft_s
        alone_tpot = self.tpots[own]
        first = view.now_s + self.prefill_s(hw, view.prompt_tokens(request), 0, 0, alone_tpot)
        if not self.in_time(hw, first, due, alone_tpot, 1, view.prompt_tokens(request)):
            return True
        everybody = [*waiting, *prefilling, *decoding]
        committed = sum(view.input_tokens(r) + self.lengths[view.label(r)] for r in everybody)
        ahead = view.backlog_tokens(server) - view.prompt_in_flight(server)
        start = view.iteration_end_s(server)
        first = start + self.prefill_s(hw, ahead + view.prompt_tokens(request), count, committed, tpot)
        return self.in_time(hw, first, due, tpot, count + 1, peak)

    def in_time(self, hw, first, due, tpot, seqs, kv):
        if not self.settings.prefill_term:
            near = hw.service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
        elif self.settings.chunk_tokens is None:
            near = max(tpot, self.mixed(hw, self.settings.least_chunk_tokens, seqs, kv))
        else:
            near = self.mixed(hw, self.settings.chunk_tokens, seqs, kv)
        return first <= due and first + near <= due + tpot

    def prefill_s(self, hw, tokens, seqs, kv, tpot):
        if not self.settings.prefill_term:
            return 0.0
        if self.settings.chunk_tokens is not None:
            chunk = self.settings.chunk_tokens
        else:
            chunk = 8192
            while chunk > self.settings.least_chunk_tokens and self.mixed(hw, chunk, seqs, kv) > tpot:
                chunk -= 1
        return math.ceil(tokens / chunk) * self.mixed(hw, chunk, seqs, kv)

    def mixed(self, hw, chunk, seqs, kv):
        return hw.service.iteration_s(Batch(chunk, chunk * chunk / 2, 0, seqs, kv))

    def peak(self, view, decoding, others, request):
        least = self.settings.least_remaining_tokens
        grown = []
        for r in decoding:
            cached = view.cached_tokens(r)
            emitted = cached + 1 - view.input_tokens(r)
            grown.append((cached, self.lengths[view.label(r)] - emitted))
        starts = []
        for r in [*others, request]:
            kv = view.prompt_tokens(r)
            emitted = kv + 1 - view.input_tokens(r)
            starts.append((kv, self.lengths[view.label(r)] - emitted))
        if self.settings.k_max == "cheap":
            growth = max(starts[-1][1], least) + 1
            return sum(kv for kv, _ in [*grown, *starts]) + (len(grown) + len(starts)) * growth
        return grow_to_peak(grown, starts[:-1], starts[-1:], least)


def random_case(rng, **changes):
    """A small workload with two or three tiers, a fleet of a few servers with tight memory, and PolyServe for it."""
    n = int(rng.integers(20, 90))
    tiers = int(rng.integers(2, 4))
    kinds = [("a", 0.03), ("b", 0.06), ("c", 0.06 if tiers == 2 else 0.2)]
    ttft = [float(rng.choice([0.1, 0.4, 2.0])) for _ in kinds]
    classes = tuple(RequestClass(name, SLO(t, tpot)) for (name, tpot), t in zip(kinds, ttft, strict=True))
    arrivals = rng.exponential(float(rng.choice([0.01, 0.03])), n).cumsum()
    inputs, outputs = rng.integers(1, 90, n), rng.integers(1, 50, n)
    work = Workload.of(arrivals, inputs, outputs, class_id=rng.integers(0, 3, n), classes=classes)
    block = int(rng.choice([1, 4, 16]))
    capacity = int(work.context_tokens * rng.uniform(1.1, 8)) // block * block + block
    service = (
        Affine(0.01, 1e-4, 5e-4, 2e-5)
        if rng.integers(2)
        else Hinged(0.01, 5e-5, 3e-4, 1e-5, 40, 2e-4, chunk_attention_s=1e-6, mixed_sequence_s=1e-5)
    )
    hw = Hardware("t", service, capacity, int(rng.integers(2, 14)), block, kv_bytes_per_token=1000.0)
    size = int(rng.integers(3, 8))
    off = int(rng.integers(0, 2))
    fleet = Fleet((Group(hw, size, off=off, start_up_s=float(rng.choice([0.0, 0.2]))),))
    settings = PolyServeSettings(**{"least_chunk_tokens": 4, "check_every_s": 0.25, **changes})
    return work, fleet, settings, polyserve(work, fleet, settings)


def disaggregated_case(rng, **changes):
    """The same with prefill and decode servers and a slow link."""
    work, fleet, settings, _ = random_case(rng, **changes)
    hw = fleet.groups[0].hardware
    link = Link(float(rng.choice([math.inf, 1e6, 1e7])), float(rng.choice([0.0, 0.003])))
    prefill = Group(hw, int(rng.integers(1, 3)), "prefill", link=link)
    decode = Group(hw, len(settings_tiers(work)) + int(rng.integers(0, 3)), "decode", link=link)
    fleet = Fleet((prefill, decode))
    return work, fleet, settings, polyserve(work, fleet, settings)


def settings_tiers(work):
    """The TPOT values of a workload."""
    return {kind.slo.tpot_s for kind in work.classes}
