"""Who runs by rank: the short way and the general one agree, and who goes first always runs."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import random_workload, seeds, services, tight_hardware

from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.service import Affine
from policies.parts.ranked import PAUSED, BatchLimits, PreemptionCap, by_rank, choose, without_ranks
from policies.parts.waiting_list import WaitingList, by_arrival


class Ranked:
    """Serves by a fixed rank of each request and checks every choice."""

    def __init__(self, rank, limits, expendable=0, seen=lambda *_: None):
        self.rank, self.limits, self.expendable, self.seen = rank, limits, expendable, seen

    def __call__(self, view):
        waiting = view.memo.setdefault("waiting", WaitingList())
        for request in waiting.arrivals(view):
            waiting.add(request, self.rank(request))
        choice = choose(view, self.rank, waiting, self.limits, self.expendable)
        self.seen(view, choice, waiting)
        waiting.follow(choice, self.rank)
        return choice.plan(view)


def policy(*args, **kwargs):
    return Policy("ranked", Ranked(*args, **kwargs), num_cohorts=2, order=by_arrival)


@settings(max_examples=60)
@given(seeds, services, st.sampled_from([1, 16]), st.integers(1, 30), st.sampled_from([100, 2048]))
def test_the_short_way_is_the_general_one(seed, service, block, seats, tokens):
    """Claim: whenever `without_ranks` answers, `by_rank` admits the same requests and lets all residents run on."""
    limits = BatchLimits(seats, tokens)

    def rank(request):
        return request * 7919 % 101

    def seen(view, choice, waiting):
        short = without_ranks(view, waiting, limits)
        full = by_rank(view, rank, waiting, limits)
        if short is None:
            assert choice == full
        else:
            assert choice.chunks == short.chunks == full.chunks
            assert sorted(full.running) == sorted(view.running)
            assert not full.paused
            assert not full.preempted

    simulate(
        random_workload(seed, n=40),
        Fleet.identical(tight_hardware(service, seed, block)),
        policy(rank, limits, seen=seen),
    )


@settings(max_examples=60)
@given(seeds, services, st.sampled_from([1, 16]), st.integers(1, 9), st.sampled_from([0, 1, 10**9]))
def test_the_first_in_rank_runs_and_limits_hold(seed, service, block, seats, expendable):
    """Claim: the best resident always decodes, the best of all when every resident may be preempted; nobody of worse
    rank decodes while a better resident pauses; the batch keeps to its seats, and prompts beyond the first to
    their tokens; what is preempted is of worse rank than what stays."""
    limits = BatchLimits(seats, 150)

    def seen(view, choice, waiting):
        running = choice.running or ([] if choice.preempted else list(view.running))
        assert choice.running or not choice.paused
        batch = [*running, *choice.admitted]
        assert len(batch) <= min(seats, view.max_num_seqs)
        assert sum(c.tokens for c in choice.chunks[1:]) <= max(0, 150 - sum(c.tokens for c in choice.chunks[:1]))
        everybody = [request for request in range(40) if request in view.running or request in view.waiting]
        if everybody and expendable > 1:
            assert min(everybody) in batch
        if view.num_running:
            assert min(view.running) in running
        stay = [*running, *choice.paused]
        assert max(running, default=-1) <= min(choice.paused, default=math.inf)
        assert max(stay, default=-1) <= min(choice.preempted, default=math.inf)

    simulate(
        random_workload(seed, n=40),
        Fleet.identical(tight_hardware(service, seed, block)),
        policy(lambda request: request, limits, expendable, seen),
        epoch_limit=3,
    )


def test_who_has_no_seat_pauses_and_keeps_its_cache():
    """Claim: by hand, one seat, ranks against the order of arrival. The second request, which arrives in the second
    iteration, takes the seat after it; the first waits with its cache and needs 4 more iterations."""
    paused = []
    fleet = Fleet.identical(Hardware("hand", Affine(1.0, 0.0, 0.0, 0.0), 100, 8))
    batch = policy(lambda request: -request, BatchLimits(1), seen=lambda view, *_: paused.append(view.decoding(PAUSED)))
    run = simulate(Workload.of([0.0, 1.5], [5, 5], [6, 3]), fleet, batch, check=True)
    assert run.completion_s.tolist() == [9.0, 5.0]
    assert max(paused) == 1
    assert run.preemptions.sum() == 0


@pytest.mark.parametrize(("expendable", "completion", "preemptions"), [(0, [6.0, 8.0], 0), (1, [8.0, 4.0], 1)])
def test_a_waiting_request_takes_memory_only_from_expendable_residents(expendable, completion, preemptions):
    """Claim: by hand, 9 tokens of memory, 1 s an iteration. The first (prompt 4, 6 outputs) holds 5 tokens at 2 s; the
    second (4, 2 outputs) has the better rank and would fit beside it without growth. It waits until 6 s; or it takes
    the memory, ends at 4 s, and the first recomputes 6 tokens for its third output, the others follow until 8 s."""
    fleet = Fleet.identical(Hardware("hand", Affine(1.0, 0.0, 0.0, 0.0), 9, 8))
    workload = Workload.of([0.0, 1.5], [4, 4], [6, 2])
    run = simulate(workload, fleet, policy(lambda request: -request, BatchLimits(), expendable), check=True)
    assert run.completion_s.tolist() == completion
    assert run.preemptions.tolist() == [preemptions, 0]


def test_the_cap_counts_preemptions_per_arrival():
    """Claim: half a preemption per arrival leaves 2 after 7 arrivals and one preemption; never less than none."""
    assert PreemptionCap(0.5).left(7, 1) == 2
    assert PreemptionCap(0.5).left(7, 9) == 0
    assert PreemptionCap().left(10**6, 0) == 0
    assert PreemptionCap(math.inf).left(0, 10**6) > 10**6


def test_ranks_computed_anew_are_asked_for_as_few_requests_as_needed():
    """Claim: of 100 waiting requests whose ranks have got worse by at most 1, the best three are found by asking for
    three; a tie goes to the smaller number."""
    waiting, asked = WaitingList(), []
    for request in range(100):
        waiting.add(request, float(request))

    def worse(request):
        asked.append(request)
        return request + (request % 3) / 2

    order = waiting.renewed(worse)
    assert [next(order) for _ in range(3)] == [(0.0, 0), (1.5, 1), (3.0, 2)]
    assert asked == [0, 1, 2]
    assert [request for _, request in order] == sorted(range(3, 100), key=lambda r: (r + (r % 3) / 2, r))
