"""Lateness under cumulative deadlines, against every token written down."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import build, policy_names, random_workload, seeds, services, small_variants, tight_hardware

from orsched import Fleet, Hardware, Workload, simulate
from orsched.engine.cohort import Cohort
from orsched.engine.deadline_log import DeadlineLog, furthest_behind
from orsched.engine.suffix_maxima import SuffixMaxima
from orsched.errors import InputError
from orsched.faults import InstanceFault
from orsched.group import Group
from orsched.link import Link
from orsched.objectives import Objectives
from orsched.request import SLO, RequestClass
from orsched.scoring import deadlines, kept_deadlines
from orsched.service import Affine
from policies import ROUTERS
from policies.vllm_v0 import vllm_v0

FEW = st.integers(0, 3)
times = st.floats(-2, 2).map(lambda x: round(x, 3))


class Segments:
    """Iteration times that are linear on pieces of a given number of KV tokens, rising or falling."""

    def __init__(self, width, pieces):
        self.width, self.pieces = width, pieces

    def run_from(self, x, step, count):
        piece = int(x // self.width)
        value, slope = self.pieces[piece % len(self.pieces)]
        left = math.ceil(((piece + 1) * self.width - x) / step)
        return min(count, max(1, left)), value + slope * (x - piece * self.width), slope * step

    def iterations(self, x, step, count):
        done = []
        while len(done) < count:
            run, value, slope = self.run_from(x + len(done) * step, step, count - len(done))
            done += [value + slope * n for n in range(run)]
        return done


curves = st.builds(
    Segments, st.sampled_from([3, 7, 20]), st.lists(st.tuples(st.floats(0.2, 1.5), st.floats(-0.02, 0.05)), min_size=1)
)


class Witness:
    """Plays a run of a few cohorts, tells the log, and writes every token down."""

    def __init__(self, classes, labels, arrivals):
        self.log = DeadlineLog(arrivals, labels, classes)
        self.slos = [classes[label].slo for label in labels]
        self.arrivals = arrivals
        self.tokens = [[] for _ in labels]
        self.cohorts = [Cohort(1), Cohort(1)]
        self.now_s = max(arrivals)

    def emit(self, request, end_s):
        self.tokens[request].append(end_s)

    def prompt(self, request, cohort):
        """Finish the prompt, or the recomputation, of a request, which then decodes in a cohort."""
        self.now_s += 0.3
        self.log.token(request, len(self.tokens[request]), self.now_s)
        self.emit(request, self.now_s)
        self.join(request, cohort)

    def join(self, request, cohort):
        self.cohorts[cohort].join(request, 5, 10**6, 10**6)
        self.log.joined(self.cohorts[cohort], request, len(self.tokens[request]))

    def leave(self, request):
        for cohort in self.cohorts:
            if request in cohort.base:
                cohort.leave(request)
                self.log.left(request)
                return True
        return False

    def mixed(self, which, took_s):
        """One iteration of unknown law."""
        self.now_s += took_s
        for k in which:
            self.log.iteration(self.cohorts[k], self.now_s)
        self.tick(which, [self.now_s])

    def decode(self, which, curve, steps):
        """An epoch."""
        seqs = sum(len(self.cohorts[k]) for k in which) or 1
        ends = self.now_s + np.cumsum(curve.iterations(11, seqs, steps))
        for k in which:
            self.log.decode(self.cohorts[k], curve, 11, seqs, steps, self.now_s, float(ends[-1]))
        self.now_s = float(ends[-1])
        self.tick(which, ends.tolist())

    def tick(self, which, ends):
        for k in which:
            for request in self.cohorts[k].base:
                self.tokens[request] += ends
            self.cohorts[k].advance(len(ends))

    def lateness(self, request):
        slo, arrival = self.slos[request], self.arrivals[request]
        due = [arrival + slo.ttft_s + i * slo.tpot_s for i in range(len(self.tokens[request]))]
        return max((t - d for t, d in zip(self.tokens[request], due, strict=True)), default=-math.inf)


@settings(max_examples=150)
@given(st.data(), curves)
def test_lateness_is_the_worst_of_all_tokens(data, curve):
    """Claim: through epochs, mixed iterations, preemptions and moves, the log has each request's worst token."""
    classes = [RequestClass(str(k), SLO(0.5 + k, tpot)) for k, tpot in enumerate((0.3, 0.7, 0.7, 1.1))]
    n = data.draw(st.integers(1, 8))
    labels = data.draw(st.lists(FEW, min_size=n, max_size=n))
    arrivals = sorted(data.draw(st.lists(st.floats(0, 5), min_size=n, max_size=n)))
    play = Witness(classes, labels, arrivals)
    for _ in range(data.draw(st.integers(1, 25))):
        request, cohort = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, 1))
        which = data.draw(st.sampled_from([[0], [1], [0, 1]]))
        action = data.draw(st.sampled_from(["prompt", "prompt", "move", "leave", "mixed", "decode", "decode"]))
        if action == "decode":
            play.decode(which, curve, data.draw(st.integers(1, 40)))
        elif action == "mixed":
            play.mixed(which, data.draw(st.floats(0.1, 3)))
        elif action == "prompt":
            if play.leave(request):
                continue
            play.prompt(request, cohort)
        elif play.leave(request) and action == "move":
            play.join(request, cohort)
    for request in range(n):
        play.leave(request)
    served = [bool(tokens) for tokens in play.tokens]
    found = play.log.lateness_s([1.0 if one else math.nan for one in served])
    expected = [play.lateness(request) if one else math.inf for request, one in enumerate(served)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(st.floats(0, 2), st.floats(-0.2, 0, exclude_max=True), st.integers(1, 60), st.floats(0.01, 2))
def test_furthest_behind_is_the_best_of_all_iterations(value, slope, run, tpot):
    """Claim: the closed form is the maximum over the iterations of a piece that get shorter."""
    every = [n * (value - tpot) + slope * n * (n - 1) / 2 for n in range(1, run + 1)]
    assert furthest_behind(value, slope, run, tpot) == pytest.approx(max(every), abs=1e-9)


@given(st.lists(st.one_of(st.just("join"), st.integers(0, 9), times), max_size=80))
def test_largest_since_joining(moves):
    """Claim: whoever leaves learns the largest value added since; segments never outnumber the members by twice."""
    maxima, tick, members = SuffixMaxima(), 0, []
    for move in moves:
        if move == "join":
            maxima.join(tick)
            members.append((tick, []))
        elif isinstance(move, int):
            if members:
                joined, seen = members.pop(move % len(members))
                assert maxima.leave(joined) == max(seen, default=-math.inf)
        elif members:
            maxima.add(move)
            tick += 1
            for _, seen in members:
                seen.append(move)
        assert maxima.members == len(members)
        assert len(maxima._starts) <= 2 * len(members)


def test_a_stall_is_made_good_or_not():
    """Claim: unit iterations, TPOT 1.5; a stall of 4 s after three tokens is late by 4 - (slack so far)."""
    log = DeadlineLog([0.0], [0], [RequestClass("a", SLO(2.0, 1.5))])
    cohort = Cohort(1)
    log.token(0, 0, 1.0)
    cohort.join(0, 5, 100, 100)
    log.joined(cohort, 0, 1)
    for end_s in (2.0, 3.0, 8.0, 9.0):
        log.iteration(cohort, end_s)
        cohort.advance(1)
    log.left(0)
    assert log.lateness_s([9.0]).tolist() == [8.0 - (2.0 + 3 * 1.5)]


def test_every_class_needs_an_objective():
    """Claim: a class without an SLO is refused by name if it has requests."""
    classes = [RequestClass("a", SLO(1.0, 1.0)), RequestClass("b")]
    DeadlineLog([0.0], [0], classes)
    with pytest.raises(InputError, match="class 'b' has no SLO"):
        DeadlineLog([0.0, 0.0], [0, 1], classes)


CLASSES = (RequestClass("tight", SLO(0.3, 0.02)), RequestClass("loose", SLO(2.0, 0.1)), RequestClass("unused"))


def in_two_classes(workload, seed):
    rng = np.random.default_rng(seed)
    return replace(workload, class_id=rng.integers(0, 2, len(workload)), classes=CLASSES)


def check_run(workload, fleet, policy, **options):
    """Epochs and single iterations agree, and the first and last tokens are no later than the latest one."""
    run = simulate(workload, fleet, policy, deadlines=True, check=True, **options)
    single = simulate(workload, fleet, policy, deadlines=True, epoch_limit=1, **options)
    np.testing.assert_allclose(run.lateness_s, single.lateness_s, rtol=1e-7, atol=1e-7)
    objectives = Objectives.of(workload)
    ends = np.maximum(run.ttft_s - objectives.ttft_s, run.latency_s - objectives.life_s(run.output_tokens))
    assert (run.lateness_s >= ends - 1e-9).all()
    np.testing.assert_allclose(run.lateness_s[run.output_tokens <= 2], ends[run.output_tokens <= 2], atol=1e-9)
    assert kept_deadlines(run).tolist() == deadlines(run, objectives).tolist()
    return run


@settings(max_examples=60)
@given(policy_names, services, seeds, st.integers(1, 2))
def test_lateness_does_not_depend_on_the_epochs(name, service, seed, size):
    """Claim: for every policy and service model, epochs of length one give the same lateness; a run without the log
    is the same run."""
    workload = in_two_classes(random_workload(seed), seed)
    fleet = Fleet.identical(tight_hardware(service, seed, 16), size)
    policy = build(name, workload, fleet)
    if policy is None:
        return
    policy = policy.routed_by(ROUTERS["jsq"])
    run = check_run(workload, fleet, policy)
    np.testing.assert_array_equal(run.completion_s, simulate(workload, fleet, policy).completion_s)


@settings(max_examples=15)
@given(st.sampled_from(small_variants()), seeds, st.booleans())
def test_lateness_follows_requests_across_instances(policy, seed, dies):
    """Claim: the same where prompts are handed over to decoding instances, and where one of these dies."""
    workload = in_two_classes(random_workload(seed), seed)
    hardware = replace(tight_hardware(Affine(0.01, 1e-4, 1e-5, 1e-7), seed, 16), kv_bytes_per_token=1000.0)
    link = Link(bytes_per_s=1e6, latency_s=0.001)
    fleet = Fleet((Group(hardware, 1, "prefill", link=link), Group(hardware, 2, "decode", link=link)))
    faults = [InstanceFault(0.5, 2, for_s=1.0)] if dies else []
    check_run(workload, fleet, policy.routed_by(ROUTERS["jsq"]), faults=faults)


def test_by_hand_in_the_engine():
    """Claim: unit iterations; the request that stalls behind another's prompt is late by what its slack lacks.

    Its tokens come at 1, 2, 3, 5, 6, 7 (vLLM v0 prefills the other one at 3). With TTFT 1 s and TPOT 1 s token i is due
    at 1 + i: late by 1 s. With TTFT 2 s it is in time.
    """
    unit = Fleet.identical(Hardware("unit", Affine(1.0, 0.0, 0.0, 0.0), 1000))
    for ttft, late in ((1.0, 1.0), (2.0, 0.0)):
        work = Workload.of([0.0, 2.5], [10, 10], [6, 1], classes=(RequestClass("a", SLO(ttft, 1.0)),))
        run = simulate(work, unit, vllm_v0(), deadlines=True)
        assert run.lateness_s.tolist() == pytest.approx([late, 1.5 - ttft])
