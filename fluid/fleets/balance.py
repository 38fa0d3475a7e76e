"""Decoding requests on identical instances, round by round: the data of the balancing programmes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.work import Floats, Ints


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """A request that decodes one token in each of a run of rounds.

    Parameters
    ----------
    context_tokens : int
        KV tokens it reads in its first round, >= 1; one more in each later round.
    rounds : int
        Decode iterations it takes, >= 1.
    start : int
        Round of its first iteration, >= 0.
    home : int, optional
        Instance that already holds its KV; placing it elsewhere is a migration. None: it may start anywhere.
    """

    context_tokens: int
    rounds: int
    start: int = 0
    home: int | None = None

    def __post_init__(self) -> None:
        for field, least in (("context_tokens", 1), ("rounds", 1), ("start", 0), ("home", 0)):
            value = getattr(self, field)
            if field == "home" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise InputError(f"DecodeJob.{field} = {value!r}: must be a whole number >= {least}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What moving a running request between instances costs.

    Parameters
    ----------
    base_s, token_s : float
        The token it is due in that round comes ``base_s + token_s * KV tokens`` later; seconds, >= 0.
    most : int, optional
        Most migrations in all; None when there is no such limit.
    """

    base_s: float = 0.0
    token_s: float = 0.0
    most: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not 0 <= value < float("inf"):
                raise InputError(f"Migration.{field.name} = {value!r}: must be finite and >= 0")

    def downtime_s(self, kv_tokens: float) -> float:
        """Delay of the migrated request's next token, seconds."""
        return self.base_s + self.token_s * kv_tokens


@dataclass(frozen=True, slots=True, eq=False)
class BalanceCase:
    """Jobs, instances and periods.

    Time is counted in rounds. In round t every *alive* job (``start <= t < start + rounds``) takes part in the
    iteration of exactly one instance. Jobs may change instance only at the beginning of a period.

    Parameters
    ----------
    jobs : tuple of DecodeJob
        At least one.
    fleet : Fleet
        Identical instances: iteration times, KV memory (in blocks) and most requests per batch.
    period_rounds : int
        Rounds per period, >= 1.
    migration : Migration
        Price of moving.

    Raises
    ------
    InputError
        For homes that do not exist.
    """

    jobs: tuple[DecodeJob, ...]
    fleet: Fleet
    period_rounds: int = 1
    migration: Migration = Migration()

    def __post_init__(self) -> None:
        if not self.jobs:
            raise InputError("BalanceCase.jobs: need at least one decode job")
        if isinstance(self.period_rounds, bool) or not isinstance(self.period_rounds, int) or self.period_rounds < 1:
            raise InputError(f"BalanceCase.period_rounds = {self.period_rounds!r}: must be a whole number >= 1")
        for j, job in enumerate(self.jobs):
            if job.home is not None and job.home >= self.fleet.size:
                raise InputError(f"job {j}: home {job.home} does not exist, instances are 0..{self.fleet.size - 1}")

    @property
    def rounds(self) -> int:
        """Rounds until the last job is done."""
        return max(job.start + job.rounds for job in self.jobs)

    @property
    def periods(self) -> int:
        """Periods until the last job is done."""
        return -(-self.rounds // self.period_rounds)

    def alive(self, job: int, period: int) -> range:
        """Rounds of a period in which a job takes part."""
        first, last = self.jobs[job].start, self.jobs[job].start + self.jobs[job].rounds
        left = period * self.period_rounds
        return range(max(first, left), max(first, left, min(last, left + self.period_rounds)))

    def placed(self, period: int) -> list[int]:
        """Jobs that take part in some round of a period."""
        return [j for j in range(len(self.jobs)) if self.alive(j, period)]

    def reads(self) -> Ints:
        """KV tokens read by each job in each round, 0 where it does not take part; shape ``(jobs, rounds)``."""
        table = np.zeros((len(self.jobs), self.rounds), dtype=np.int64)
        for j, job in enumerate(self.jobs):
            table[j, job.start : job.start + job.rounds] = job.context_tokens + np.arange(job.rounds)
        return table

    def held(self) -> Ints:
        """KV tokens each job occupies at the end of each round, in whole blocks; shape ``(jobs, rounds)``."""
        reads, block = self.reads(), self.fleet.hardware.block_tokens
        return np.where(reads > 0, -(-(reads + 1) // block) * block, 0)

    def usable_tokens(self) -> int:
        """KV tokens of one instance, whole blocks only."""
        hw = self.fleet.hardware
        return hw.kv_capacity_tokens // hw.block_tokens * hw.block_tokens

    def minorant_weights(self) -> tuple[tuple[float, Floats], ...]:
        """For each affine minorant: its base, and what each job adds to an iteration in each round; seconds."""
        reads = self.reads().astype(float)
        return tuple(
            (m.base_s, np.where(reads > 0, m.sequence_s + m.kv_token_s * reads, 0.0))
            for m in self.fleet.hardware.service.affine_minorants()
        )


def jobs_of(context_tokens: Sequence[int], rounds: Sequence[int]) -> tuple[DecodeJob, ...]:
    """Jobs that all start in round 0, from two columns."""
    return tuple(DecodeJob(int(c), int(r)) for c, r in zip(context_tokens, rounds, strict=True))
