"""A stream: the execution lane of an instance, advancing in decision epochs."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

from orsched.engine.calendar import Calendar
from orsched.engine.meter import integrals_for
from orsched.engine.plan import Chunk, Plan
from orsched.engine.view import InstanceView
from orsched.errors import PlanError
from orsched.service import Batch, PiecewiseLinear

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.engine.cohort import Cohort
    from orsched.engine.deadline_log import DeadlineLog
    from orsched.engine.gap_log import GapLog
    from orsched.engine.instance import Instance
    from orsched.engine.prefix_cache import PrefixCache
    from orsched.policy import Policy


SNAP = 1e-9
"""Share of an epoch within which an arrival counts as happening at an iteration's end, whatever the rounding."""

CLOCK_SNAP = 2.0**-42
"""The same as a share of the time on the clock: a thousand roundings of it, that is 0.2 microseconds after 10^6 s."""

MOST_IDLE_WAKES = 10_000
"""Times in a row that a policy may put off all work after the last arrival before it is said to idle forever."""


class Stream:
    """Runs one instance's iterations, an epoch at a time.

    An epoch is a maximal run of iterations with unchanged composition. It ends at the earliest of a completion,
    a reservation outgrown, KV growth about to pass the capacity, the plan's step or time limit, and - if
    the plan asks to be woken - an arrival, rounded up to the end of the iteration in flight. Its
    duration is the closed-form sum of the decode curve along the growing KV tokens.

    Parameters
    ----------
    instance : Instance
        Whose lane this is.
    policy : Policy
        What decides.
    calendar : Calendar
        Where it books its wake-ups.
    cluster : Cluster
        The fleet. If the instance is all of it, the next arrival is its own, and an epoch that the arrival will cut
        short is cut at once.
    epoch_limit : int
        Most iterations per epoch.
    skews : tuple of float, optional
        Effect of unequal contexts on time, by the number of decoding requests (`ServiceModel.kv_skew`); None: none.
    """

    def __init__(
        self,
        instance: Instance,
        policy: Policy,
        calendar: Calendar,
        cluster: Cluster,
        epoch_limit: int,
        skews: tuple[float, ...] | None,
    ) -> None:
        self._calendar = calendar
        self._instance = instance
        self._batch = policy.batch
        self._policy_name = policy.name
        self._service = instance.hardware.service
        self._max_num_seqs = instance.hardware.max_num_seqs
        self._epoch_limit = epoch_limit
        self._skews = skews
        self._curves: dict[int, PiecewiseLinear] = {}
        self.view = InstanceView(instance)
        self.integrals = integrals_for(instance.hardware.service)
        # The epoch in flight.
        self._cluster = cluster
        self._alone = cluster.alone
        self.busy = False
        self._advancing = False
        self.end_s = 0.0
        self._wake = calendar.appointment(self._on_time, instance.index)
        self._start_s = 0.0
        self._steps = 0
        self._prompt_tokens = 0
        self._mixed = Batch()
        self._chunks: tuple[Chunk, ...] = ()
        self._cohorts: list[Cohort] = []
        self._seqs = 0
        self._kv = 0
        self._kv_timed: float = 0
        self._longest = 0
        self._blocks = 0
        self._taken = 0
        self._shared_since_s = 0.0
        self._wakes = True
        self._idle_until_s = math.inf
        self._idle_wakes = 0

    def resume(self, now_s: float) -> None:
        """Plan from `now_s` on, running epochs for as long as nothing else can happen before they end."""
        calendar = self._calendar
        seen, next_s = calendar.bookings, calendar.next_s()
        self._advancing = True
        while True:
            self._begin(now_s)
            if not self.busy:
                if self._idle_until_s < math.inf and not self._finished():
                    self._book_earlier(self._idle_until_s)
                break
            if calendar.bookings != seen:
                seen, next_s = calendar.bookings, calendar.next_s()
            end_s = self.end_s
            if end_s + SNAP * (end_s - now_s) + CLOCK_SNAP * end_s >= next_s:
                if self._alone and self._wakes and self._steps > 1 and calendar.next_arrival_s < self.end_s:
                    self._shorten(calendar.next_arrival_s)
                self._book(self.end_s)
                break
            self._finish()
            now_s = end_s
        self._advancing = False

    def on_arrival(self, now_s: float) -> None:
        """React to an arrival on this instance."""
        if not self.busy:
            self.call(now_s)
        elif self._wakes and self._steps > 1 and self._shorten(now_s):
            self._book(self.end_s)

    def on_close(self, now_s: float) -> None:
        """React to the news that nothing will arrive any more."""
        if self.busy or self._instance.in_system:
            self.on_arrival(now_s)

    def call(self, now_s: float) -> None:
        """Plan again as soon as possible: now when idle, else at the end of the iteration in flight."""
        if not self.busy:
            if self._alone and not self._advancing:
                self.resume(now_s)
            else:
                self._book_earlier(now_s)
        elif self._steps > 1 and self._shorten(now_s):
            self._book(self.end_s)

    def halt(self, now_s: float) -> None:
        """Stop in the middle of an iteration, which is lost; those that ended before count."""
        if self.busy:
            steps = 0 if self._chunks else self._until(now_s)[0] - 1
            if steps:
                curve = self._curves[self._seqs]
                self._cut(steps, curve.total(self._kv_timed, self._seqs, steps))
                self._finish()
            else:
                self._instance.ledger.shrink(self._blocks)
            self.busy = False
            self.end_s = now_s
        if self._wake.pending:
            self._wake.void()
            self._wake = self._calendar.appointment(self._on_time, self._instance.index)

    def tokens_appended_before(self, now_s: float) -> int:
        """KV tokens the epoch in flight has appended before `now_s`; an iteration that ends at `now_s` comes after."""
        if not self.busy or self._chunks:
            return 0
        steps, _ = self._until(now_s)
        return (steps - 1) * self._seqs

    def blocks_due_before(self, now_s: float) -> int:
        """Blocks that the decode iterations ended before `now_s` have grown by and not taken yet."""
        if not self.busy or self._chunks:
            return 0
        return self._need(self._until(now_s)[0] - 1) - self._taken

    def settle(self, now_s: float) -> None:
        """Let those iterations take their blocks from the prefix cache, as others are about to be freed."""
        prefixes = self._instance.prefixes
        if prefixes is not None:
            due = self.blocks_due_before(now_s)
            self._taken += due
            prefixes.take(due)
            self._count_shared(prefixes, now_s)

    def _count_shared(self, prefixes: PrefixCache, now_s: float) -> None:
        """Take what was shared since the last call out of the KV integral: it is there once."""
        self.integrals.kv_token_s -= prefixes.duplicate_tokens * (now_s - self._shared_since_s)
        self._shared_since_s = now_s

    def iterations_before(self, now_s: float, cohort: Cohort) -> int:
        """Iterations of the epoch in flight that `cohort` has advanced before `now_s`."""
        if not self.busy or self._chunks or cohort not in self._cohorts:
            return 0
        return self._until(now_s)[0] - 1

    def iterations_by(self, now_s: float, cohort: Cohort) -> int:
        """The same with those that end at `now_s`: for whoever asks at the end of an iteration elsewhere.

        Which of two iterations that end together the calendar takes first then does not matter.
        """
        if not self.busy or cohort not in self._cohorts:
            return 0
        slack_s = SNAP * (self.end_s - self._start_s) + CLOCK_SNAP * now_s
        if self.end_s <= now_s + slack_s:
            return self._steps
        return 0 if self._chunks else self._until(now_s + 2 * slack_s)[0] - 1

    def blocks_ahead(self, now_s: float) -> int:
        """KV blocks promised to iterations of the epoch in flight that have not begun at `now_s`."""
        if not self.busy or self._chunks:
            return 0
        return self._blocks - self._need(self._until(now_s)[0])

    def iteration_end_s(self, now_s: float) -> float:
        """When the iteration in flight at `now_s` ends; `now_s` if there is none."""
        if not self.busy:
            return now_s
        return self.end_s if self._steps == 1 else self._start_s + self._until(now_s)[1]

    @property
    def prompt_in_flight(self) -> int:
        """Prompt tokens that the iteration in flight processes."""
        return self._prompt_tokens if self.busy and self._chunks else 0

    def _book(self, time_s: float) -> None:
        """Be called back at `time_s` and at no other time booked before."""
        if self._wake.pending:
            self._wake.void()
            self._wake = self._calendar.appointment(self._on_time, self._instance.index)
        self._wake.book(time_s)

    def _book_earlier(self, time_s: float) -> None:
        """Be called back at `time_s`, unless that is to happen earlier anyway."""
        if not (self._wake.pending and self._wake.time_s <= time_s):
            self._book(time_s)

    def _on_time(self, now_s: float) -> None:
        if self.busy:
            if now_s < self.end_s:
                return
            outside_s = self._calendar.next_outside_s()
            snap_s = SNAP * (self.end_s - self._start_s) + CLOCK_SNAP * self.end_s
            if outside_s - self.end_s <= snap_s:
                # Something arrives at this very boundary and comes first. The calendar rounds times, so step past it.
                self._book(outside_s + snap_s)
                return
            self._advancing = True
            self._finish()
            now_s = max(self.end_s, self._calendar.last_outside_s)
        self.resume(now_s)

    def _begin(self, now_s: float) -> None:
        """Ask the policy and start the epoch it wants, or go idle."""
        instance = self._instance
        view = self.view
        view.now_s = now_s
        if now_s > self.end_s:
            self.integrals.idle(self.end_s, now_s, instance.resident_tokens)
        if instance.prefixes is not None:
            self._count_shared(instance.prefixes, now_s)
        if self._cluster.attentive and instance.dock.in_use:
            self._cluster.transfers.at_boundary(instance, now_s)
        plan = self._batch(view)
        if plan.__class__ is not Plan:
            raise PlanError(f"policy {self._policy_name!r} returned {plan!r}: a batcher returns a Plan")
        chunks, decode, preempt, self._wakes, _, self._idle_until_s, moves = plan
        if preempt:
            for request in preempt:
                instance.preempt(request, now_s)
        if moves:
            for move in moves:
                instance.move(move, now_s)
        cohorts = instance.cohorts
        if decode is not None:
            cohorts = self._chosen(decode)
        self._start_s = self.end_s = now_s
        self._cohorts = cohorts
        self._chunks = chunks
        seqs = kv = 0
        for cohort in cohorts:
            seqs += len(cohort.base)
            kv += cohort.kv_tokens
        self._seqs = seqs
        self._kv = self._kv_timed = kv
        self.busy = True
        if chunks:
            self._start_prefill(chunks, now_s)
        elif seqs:
            self._start_decode(plan, now_s)
        else:
            self._go_idle(plan, now_s)
        if instance.watchers:
            instance.changed()

    def _chosen(self, decode: tuple[int, ...]) -> list[Cohort]:
        cohorts = self._instance.cohorts
        for number in decode:
            if not 0 <= number < len(cohorts):
                raise PlanError(f"policy {self._policy_name!r} decodes cohort {number}, there are {len(cohorts)}")
        if len(set(decode)) < len(decode):
            raise PlanError(f"policy {self._policy_name!r} decodes a cohort twice in one iteration: {decode}")
        return [cohorts[number] for number in decode]

    def _start_prefill(self, chunks: tuple[Chunk, ...], now_s: float) -> None:
        if len(chunks) > 1 and len({chunk.request for chunk in chunks}) < len(chunks):
            raise PlanError(f"policy {self._policy_name!r} gives a request two chunks in one iteration: {chunks}")
        prompt = past_total = 0
        attention = 0.0
        instance, ledger = self._instance, self._instance.ledger
        used = ledger.used_blocks
        if instance.retained is not None:
            chunks, claimed = instance.reclaim(chunks, now_s)
            self._chunks = chunks
            used += claimed
        take_chunk = instance.take_chunk
        for chunk in chunks:
            past = take_chunk(chunk, now_s)
            tokens = chunk.tokens
            prompt += tokens
            past_total += past
            attention += tokens * (past + 0.5 * tokens)
        self._prompt_tokens = prompt
        if self._seqs + len(chunks) > self._max_num_seqs:
            raise self._too_many(self._seqs + len(chunks))
        if self._skews is not None:
            self._rank(self._skews)
        self._steps = 1
        self._blocks = blocks = self._need(1)
        if blocks > ledger.free_blocks:
            raise self._too_little(ledger.free_blocks)
        ledger.grow(blocks)
        if instance.retained is not None:
            instance.retained.take(ledger.used_blocks - used)
        self._mixed = Batch(prompt, attention, past_total, self._seqs, self._kv, self._longest)
        self.end_s = now_s + self._service.iteration_s(self._mixed)

    def _start_decode(self, plan: Plan, now_s: float) -> None:
        seqs = self._seqs
        if seqs > self._max_num_seqs:
            raise self._too_many(seqs)
        if self._skews is not None:
            self._rank(self._skews)
        steps = plan.max_steps if plan.max_steps < self._epoch_limit else self._epoch_limit
        if steps < 1:
            raise PlanError(f"policy {self._policy_name!r} asked for {steps} iterations: max_steps must be >= 1")
        for cohort in self._cohorts:
            if cohort.base:
                event = cohort.steps_to_event()
                if event < steps:
                    steps = event
        ledger = self._instance.ledger
        blocks = self._need(steps)
        if blocks > ledger.capacity_blocks - ledger.used_blocks:
            if self._instance.dock.parked and self._need(1) > ledger.free_blocks:
                self._await_room()
                return
            steps = self._fitting(steps, ledger.free_blocks)
            blocks = self._need(steps)
        prefixes = self._instance.prefixes
        if prefixes is not None and any(self._instance.queues) and blocks > (room := prefixes.blocks_before_loss()):
            # A prefix lost may change who is admitted, also for a policy that looks an iteration ahead.
            steps = max(1, bisect_right(range(1, steps), room, key=self._need))
            blocks = self._need(steps)
        ledger.grow(blocks)
        self._steps = steps
        self._blocks = blocks
        self._taken = 0
        curve = self._curves.get(seqs)
        if curve is None:
            curve = self._curves[seqs] = self._service.decode_curve(seqs)
        self.end_s = now_s + curve.total(self._kv_timed, seqs, steps)
        if plan.until_s < math.inf:
            self._shorten(plan.until_s)

    def _await_room(self) -> None:
        """Pause until requests that stand still here have left with their KV cache."""
        self.busy = False
        self._idle_until_s = math.inf

    def _rank(self, skews: tuple[float, ...]) -> None:
        """Find the longest context, and the KV tokens that equal contexts would have to read to take as long."""
        self._longest = longest = max((cohort.longest_kv_tokens() for cohort in self._cohorts), default=0)
        self._kv_timed = self._kv + skews[self._seqs] * (self._seqs * longest - self._kv)

    def _too_many(self, requests: int) -> PlanError:
        return PlanError(
            f"t = {self._start_s:.6g} s, instance {self._instance.index}: batch of {requests} requests, "
            f"at most {self._max_num_seqs} fit"
        )

    def _go_idle(self, plan: Plan, now_s: float) -> None:
        instance = self._instance
        self.busy = False
        if plan.until_s <= now_s:
            raise PlanError(
                f"t = {now_s:.6g} s, instance {instance.index}: policy {self._policy_name!r} idles until "
                f"{plan.until_s:.6g} s, which is not later"
            )
        if not instance.closed or not instance.has_work or instance.dock.holds_memory:
            return
        self._idle_wakes += 1
        if plan.until_s == math.inf or self._idle_wakes > MOST_IDLE_WAKES:
            raise PlanError(
                f"t = {now_s:.6g} s, instance {instance.index}: policy {self._policy_name!r} runs nothing although "
                f"{instance.in_system} requests are in the system and no more arrive"
            )

    def _finished(self) -> bool:
        """Whether nothing is left to do here, ever."""
        return self._instance.closed and not self._instance.in_system

    def _shorten(self, time_s: float) -> bool:
        """End the epoch in flight at the end of the iteration running at `time_s`; whether that is earlier."""
        steps, total = self._until(time_s)
        if steps == self._steps:
            return False
        self._cut(steps, total)
        return True

    def _cut(self, steps: int, total_s: float) -> None:
        """End the epoch in flight after its first `steps` iterations, which take `total_s` seconds."""
        blocks = self._need(steps)
        self._instance.ledger.shrink(self._blocks - blocks)
        self._steps, self._blocks = steps, blocks
        self.end_s = self._start_s + total_s

    def _until(self, time_s: float) -> tuple[int, float]:
        """Iterations up to the end of the one running at `time_s`, or ending then, and the seconds they take."""
        curve = self._curves[self._seqs]
        elapsed_s = time_s * (1 - CLOCK_SNAP) - self._start_s
        return curve.count_to_reach(self._kv_timed, self._seqs, self._steps, elapsed_s, SNAP)

    def _finish(self) -> None:
        """Apply the iterations of the epoch that has just ended."""
        instance = self._instance
        steps, end_s = self._steps, self.end_s
        self._idle_wakes = 0
        self.busy = False
        self.view.iterations += steps
        chunks = self._chunks
        seqs = self._seqs
        if instance.prefixes is not None:
            self._count_shared(instance.prefixes, end_s)
        if chunks:
            resident = instance.resident_tokens + seqs + self._prompt_tokens
            duration_s, requests = end_s - self._start_s, seqs + len(chunks)
            self.integrals.iteration(duration_s, requests, resident, self._mixed)
        else:
            curve, resident = self._curves[seqs], instance.resident_tokens
            self.integrals.decode(curve, self._kv_timed, seqs, steps, resident, self._kv)
            if instance.retained is not None:
                instance.retained.take(self._blocks - self._taken)
        if instance.gaps is not None:
            self._log_tokens(instance.gaps)
        if instance.deadlines is not None:
            self._log_tokens(instance.deadlines)
        instance.resident_tokens += steps * seqs
        for cohort in self._cohorts:
            if cohort.advance(steps):
                instance.complete(cohort, end_s)
        for chunk in chunks:
            instance.finish_chunk(chunk, end_s)
        if instance.watchers:
            instance.changed()
        if self._cluster.stirred:
            self._cluster.after_epoch(instance, end_s)

    def _log_tokens(self, log: GapLog | DeadlineLog) -> None:
        for cohort in self._cohorts:
            if self._chunks:
                log.iteration(cohort, self.end_s)
            else:
                curve = self._curves[self._seqs]
                log.decode(cohort, curve, self._kv_timed, self._seqs, self._steps, self._start_s, self.end_s)

    def _need(self, steps: int) -> int:
        """New KV blocks that `steps` iterations take."""
        cohorts = self._cohorts
        if len(cohorts) == 1:
            return cohorts[0].blocks_needed(steps)
        return sum(cohort.blocks_needed(steps) for cohort in cohorts)

    def _fitting(self, steps: int, free: int) -> int:
        """Most iterations below `steps` whose KV growth fits in `free` blocks."""
        most = bisect_right(range(1, steps), free, key=self._need)
        if most == 0:
            raise self._too_little(free)
        return most

    def _too_little(self, free: int) -> PlanError:
        return PlanError(
            f"t = {self._start_s:.6g} s, instance {self._instance.index}: decoding {self._seqs} requests needs "
            f"{self._need(1)} more KV blocks, {free} are free; the policy must preempt"
        )
