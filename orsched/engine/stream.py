"""A stream: the execution lane of an instance, advancing in decision epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

from orsched.engine.calendar import Calendar
from orsched.engine.epoch import CLOCK_SNAP, SNAP, Epoch
from orsched.engine.meter import integrals_for
from orsched.engine.plan import Chunk, Plan
from orsched.engine.room import beside_others
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

    __slots__ = (
        "_alone",
        "_batch",
        "_calendar",
        "_chosen",
        "_cluster",
        "_curves",
        "_decode",
        "_epoch_limit",
        "_idle_since",
        "_idle_wakes",
        "_instance",
        "_max_num_seqs",
        "_policy_name",
        "_service",
        "_shared_since_s",
        "_skews",
        "_until_s",
        "_wake",
        "_wakes",
        "epoch",
        "integrals",
        "view",
    )

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
        self._cluster = cluster
        self._alone = cluster.alone
        self.epoch = Epoch()
        self._wake = calendar.appointment(self._on_time, instance.index)
        self._shared_since_s = 0.0
        self._decode: tuple[int, ...] = ()
        self._chosen: list[Cohort] = []
        self._wakes = True
        self._until_s = math.inf
        self._idle_wakes = self._idle_since = 0

    @property
    def busy(self) -> bool:
        """Whether an epoch is in flight."""
        return self.epoch.in_flight

    def resume(self, now_s: float) -> None:
        """Plan from `now_s` on, running epochs for as long as nothing else can happen before they end."""
        calendar, epoch, queue = self._calendar, self.epoch, self._calendar.queue
        while True:
            self._begin(now_s)
            if not epoch.in_flight:
                if self._until_s < math.inf and (self._instance.in_system or not self._instance.closed):
                    self._book_earlier(self._until_s)
                break
            end_s = epoch.end_s
            if queue and end_s + SNAP * (end_s - now_s) + CLOCK_SNAP * end_s >= queue[0][0]:
                if self._alone and self._wakes and epoch.steps > 1 and calendar.next_arrival_s < end_s:
                    self._shorten(calendar.next_arrival_s)
                self._wake.book(epoch.end_s)
                break
            self._finish()
            now_s = end_s

    def on_arrival(self, now_s: float) -> None:
        """React to an arrival on this instance."""
        if not self.epoch.in_flight:
            self._book_earlier(now_s)
        elif self._wakes:
            self.call(now_s)

    def on_close(self, now_s: float) -> None:
        """React to the news that nothing will arrive any more."""
        if self.epoch.in_flight or self._instance.in_system:
            self.on_arrival(now_s)

    def call(self, now_s: float) -> None:
        """Plan again as soon as possible: now when idle, else at the end of the iteration in flight."""
        if not self.epoch.in_flight:
            self._book_earlier(now_s)
        elif self._cluster.ended > self._instance.index:
            self.call_after(now_s)
        elif self.epoch.steps > 1 and self._shorten(now_s):
            self._wake.book(self.epoch.end_s)

    def after_ends_s(self, now_s: float) -> float:
        """`now_s`, or just after if an iteration that ends here now comes before what happens (`Cluster.ended`)."""
        return now_s if self._cluster.ended <= self._instance.index else now_s + 2 * self.epoch.slack_s(now_s)

    def call_after(self, now_s: float) -> None:
        """Plan again at the end of the iteration that ends next after `now_s`, not of one that ends then.

        For whoever asks at the end of an iteration elsewhere: see `Epoch.iterations_by`.
        """
        epoch = self.epoch
        if epoch.in_flight and epoch.steps > 1:
            steps, total_s = epoch.until(now_s + 2 * epoch.slack_s(now_s))
            if steps < epoch.steps:
                self._cut(steps, total_s)
                self._wake.book(epoch.end_s)

    def halt(self, now_s: float) -> None:
        """Stop in the middle of an iteration, which is lost; those that ended before count."""
        epoch = self.epoch
        if epoch.in_flight:
            steps, lost_since_s = epoch.steps_before(now_s), epoch.start_s
            if steps:
                self._cut(steps, epoch.curve.total(epoch.kv_timed, epoch.seqs, steps))
                self._finish()
                lost_since_s = epoch.end_s
            else:
                self._instance.ledger.shrink(epoch.blocks)
            self.integrals.busy_s += max(now_s - lost_since_s, 0.0)
            epoch.in_flight = False
            epoch.end_s = now_s
        self._wake.void()

    def settle(self, now_s: float) -> None:
        """Let those iterations take their blocks from the prefix cache, as others are about to be freed."""
        prefixes = self._instance.store.prefixes
        if prefixes is not None:
            due = self.epoch.blocks_due_before(now_s)
            self.epoch.taken += due
            prefixes.take(due)
            self._count_shared(prefixes, now_s)

    def _count_shared(self, prefixes: PrefixCache, now_s: float) -> None:
        """Take what was shared since the last call out of the KV integral: it is there once."""
        self.integrals.kv_token_s -= prefixes.duplicate_tokens * (now_s - self._shared_since_s)
        self._shared_since_s = now_s

    def _book_earlier(self, time_s: float) -> None:
        """Be called back at `time_s`, unless that is to happen earlier anyway."""
        if not (self._wake.pending and self._wake.time_s <= time_s):
            self._wake.book(time_s)

    def _on_time(self, now_s: float) -> None:
        epoch, calendar = self.epoch, self._calendar
        if epoch.in_flight:
            end_s, snap_s = epoch.end_s, epoch.slack_s(epoch.end_s)
            # Twice as far, because the queue's times are rounded.
            if calendar.queue and calendar.queue[0][0] - end_s <= 2 * snap_s and self._comes_later(end_s, snap_s):
                return
            self._finish()
            now_s = max(end_s, calendar.last_outside_s)
        elif calendar.next_outside_s() <= now_s * (1 + CLOCK_SNAP):
            # It is woken by one of two events that rounding sets apart, and waits for the other.
            self._wake.book(calendar.next_outside_s() + CLOCK_SNAP * now_s)
            return
        self.resume(now_s)

    def _comes_later(self, end_s: float, snap_s: float) -> bool:
        """Put the end of the epoch in flight off if something within `snap_s` comes first; whether that is so."""
        outside_s = self._calendar.next_outside_s()
        if outside_s - end_s <= snap_s:
            # Something arrives at this very boundary and comes first. The calendar rounds times, so step past it.
            self._wake.book(outside_s + snap_s)
            return True
        before_s = self._calendar.next_before_s(self._instance.index)
        if before_s - end_s <= snap_s:
            # An iteration on an instance of a lower number ends now too, and rounding has it come later.
            self._wake.book(before_s)
            return True
        return False

    def _begin(self, now_s: float) -> None:
        """Ask the policy and start the epoch it wants, or go idle."""
        instance, view, epoch = self._instance, self.view, self.epoch
        view.now_s = now_s
        if now_s > epoch.end_s:
            self.integrals.idle(epoch.end_s, now_s, instance.resident_tokens)
        if instance.store.prefixes is not None:
            self._count_shared(instance.store.prefixes, now_s)
        cluster = self._cluster
        if cluster.attentive and instance.dock.in_use:
            cluster.ended = instance.index
            cluster.transfers.at_boundary(instance, now_s)
            cluster.ended = -1
        plan = self._batch(view)
        if plan.__class__ is not Plan:
            raise PlanError(f"policy {self._policy_name!r} returned {plan!r}: a batcher returns a Plan")
        chunks, decode, preempt, self._wakes, max_steps, self._until_s, moves = plan
        if preempt:
            for request in preempt:
                instance.preempt(request, now_s)
        if moves:
            for move in moves:
                instance.move(move, now_s)
        cohorts = instance.cohorts
        if decode is not None:
            cohorts = self._chosen if decode == self._decode else self._choose(decode)
        epoch.compose(cohorts, chunks, now_s)
        if chunks:
            self._start_prefill(chunks, now_s)
        elif epoch.seqs:
            self._start_decode(max_steps)
        else:
            self._go_idle(now_s)
        if instance.watchers:
            instance.changed()

    def _choose(self, decode: tuple[int, ...]) -> list[Cohort]:
        """Find the cohorts of these numbers, and remember them for as long as the policy decodes the same."""
        cohorts = self._instance.cohorts
        for number in decode:
            if not 0 <= number < len(cohorts):
                raise PlanError(f"policy {self._policy_name!r} decodes cohort {number}, there are {len(cohorts)}")
        if len(set(decode)) < len(decode):
            raise PlanError(f"policy {self._policy_name!r} decodes a cohort twice in one iteration: {decode}")
        self._decode = tuple(decode)
        self._chosen = [cohorts[number] for number in decode]
        return self._chosen

    def _start_prefill(self, chunks: tuple[Chunk, ...], now_s: float) -> None:
        if len(chunks) > 1 and len({chunk.request for chunk in chunks}) < len(chunks):
            raise PlanError(f"policy {self._policy_name!r} gives a request two chunks in one iteration: {chunks}")
        prompt = past_total = 0
        attention = 0.0
        epoch, instance, ledger = self.epoch, self._instance, self._instance.ledger
        used, retained = ledger.used_blocks, instance.store.retained
        if retained is not None:
            chunks, claimed = instance.reclaim(chunks, now_s)
            epoch.chunks = chunks
            used += claimed
        take_chunk = instance.take_chunk
        for chunk in chunks:
            past = take_chunk(chunk, now_s)
            tokens = chunk.tokens
            prompt += tokens
            past_total += past
            attention += tokens * (past + 0.5 * tokens)
        epoch.prompt_tokens = prompt
        seqs = epoch.seqs
        if seqs + len(chunks) > self._max_num_seqs:
            raise self._too_many(seqs + len(chunks))
        if self._skews is not None:
            epoch.rank(self._skews)
        epoch.steps = 1
        epoch.blocks = blocks = epoch.need(1)
        if blocks > ledger.capacity_blocks - ledger.used_blocks:
            raise self._too_little(ledger.free_blocks)
        ledger.grow(blocks)
        if retained is not None:
            retained.take(ledger.used_blocks - used)
        epoch.mixed = mixed = Batch(prompt, attention, past_total, seqs, epoch.kv, epoch.longest)
        epoch.end_s = now_s + self._service.iteration_s(mixed)

    def _start_decode(self, max_steps: int) -> None:
        epoch, instance = self.epoch, self._instance
        seqs = epoch.seqs
        if seqs > self._max_num_seqs:
            raise self._too_many(seqs)
        if self._skews is not None:
            epoch.rank(self._skews)
        steps = max_steps if max_steps < self._epoch_limit else self._epoch_limit
        if steps < 1:
            raise PlanError(f"policy {self._policy_name!r} asked for {steps} iterations: max_steps must be >= 1")
        for cohort in epoch.cohorts:
            if cohort.base:
                event = cohort.steps_to_event()
                if event < steps:
                    steps = event
        ledger = instance.ledger
        blocks = epoch.need(steps)
        if blocks > ledger.capacity_blocks - ledger.used_blocks:
            if instance.dock.parked and epoch.need(1) > ledger.free_blocks:
                self._await_room()
                return
            steps = self._fitting(steps, ledger.free_blocks)
            blocks = epoch.need(steps)
        if self._cluster.attentive or instance.store.prefixes is not None:
            steps, blocks = beside_others(instance, epoch, steps, blocks)
        ledger.grow(blocks)
        curve = self._curves.get(seqs)
        if curve is None:
            curve = self._curves[seqs] = self._service.decode_curve(seqs)
        epoch.decode(curve, steps, blocks)
        if self._until_s < math.inf:
            self._shorten(self._until_s)

    def _await_room(self) -> None:
        """Pause until requests that stand still here have left with their KV cache."""
        self.epoch.in_flight = False
        self._until_s = math.inf

    def _too_many(self, requests: int) -> PlanError:
        return PlanError(
            f"t = {self.epoch.start_s:.6g} s, instance {self._instance.index}: batch of {requests} requests, "
            f"at most {self._max_num_seqs} fit"
        )

    def _go_idle(self, now_s: float) -> None:
        instance = self._instance
        self.epoch.in_flight = False
        if self._until_s <= now_s:
            raise PlanError(
                f"t = {now_s:.6g} s, instance {instance.index}: policy {self._policy_name!r} idles until "
                f"{self._until_s:.6g} s, which is not later"
            )
        if not instance.closed or not instance.has_work or instance.dock.holds_memory:
            return
        if self._idle_since < self.view.iterations:
            self._idle_since, self._idle_wakes = self.view.iterations, 0
        self._idle_wakes += 1
        if self._until_s == math.inf or self._idle_wakes > MOST_IDLE_WAKES:
            raise PlanError(
                f"t = {now_s:.6g} s, instance {instance.index}: policy {self._policy_name!r} runs nothing although "
                f"{instance.in_system} requests are in the system and no more arrive"
            )

    def _shorten(self, time_s: float) -> bool:
        """End the epoch in flight at the end of the iteration running at `time_s`; whether that is earlier."""
        steps, total = self.epoch.until(time_s)
        if steps == self.epoch.steps:
            return False
        self._cut(steps, total)
        return True

    def _cut(self, steps: int, total_s: float) -> None:
        """End the epoch in flight after its first `steps` iterations, which take `total_s` seconds."""
        self._instance.ledger.shrink(self.epoch.cut(steps, total_s))

    def _finish(self) -> None:
        """Apply the iterations of the epoch that has just ended."""
        instance, epoch = self._instance, self.epoch
        steps, end_s, seqs, chunks = epoch.steps, epoch.end_s, epoch.seqs, epoch.chunks
        epoch.in_flight = False
        self.view.iterations += steps
        if instance.store.retained is not None:
            self._take_from_cache(end_s)
        if chunks:
            resident = instance.resident_tokens + seqs + epoch.prompt_tokens
            self.integrals.iteration(end_s - epoch.start_s, seqs + len(chunks), resident, epoch.mixed)
        else:
            self.integrals.decode(epoch.curve, epoch.kv_timed, seqs, steps, instance.resident_tokens, epoch.kv)
        if instance.logs:
            self._log_tokens(instance.logs)
        instance.resident_tokens += steps * seqs
        for cohort in epoch.cohorts:
            if cohort.advance(steps):
                instance.complete(cohort, end_s)
        for chunk in chunks:
            instance.finish_chunk(chunk, end_s)
        if self._cluster.stirred:
            instance.changed()
            self._cluster.after_epoch(instance, end_s)

    def _take_from_cache(self, end_s: float) -> None:
        """Let the iterations of the epoch that has just ended take the blocks of what is still cached in them."""
        store, epoch = self._instance.store, self.epoch
        if store.prefixes is not None:
            self._count_shared(store.prefixes, end_s)
        if store.retained is not None and not epoch.chunks:
            store.retained.take(epoch.blocks - epoch.taken)

    def _log_tokens(self, logs: Iterable[GapLog | DeadlineLog]) -> None:
        epoch = self.epoch
        for log, cohort in product(logs, epoch.cohorts):
            if epoch.chunks:
                log.iteration(cohort, epoch.end_s)
            else:
                log.decode(cohort, epoch.curve, epoch.kv_timed, epoch.seqs, epoch.steps, epoch.start_s, epoch.end_s)

    def _fitting(self, steps: int, free: int) -> int:
        """Most iterations below `steps` whose KV growth fits in `free` blocks."""
        most = self.epoch.most_steps(steps, free)
        if most == 0:
            raise self._too_little(free)
        return most

    def _too_little(self, free: int) -> PlanError:
        return PlanError(
            f"t = {self.epoch.start_s:.6g} s, instance {self._instance.index}: decoding {self.epoch.seqs} requests "
            f"needs {self.epoch.need(1)} more KV blocks, {free} are free; the policy must preempt"
        )
