"""Cohorts: requests that decode together, share one iteration clock and cost O(1) to advance."""

from __future__ import annotations

from heapq import heappop, heappush


class Cohort:
    """Decoding requests that always advance together.

    A member's cached KV tokens are ``base + clock``; its last token is due at tick `due`. Block growth is kept as
    a histogram: a member needs a new block in the iterations whose tick is congruent to ``-base``
    modulo the block size, so any number of iterations is priced in closed form.

    Parameters
    ----------
    block_tokens : int
        KV allocation unit of the instance's ledger.
    ranked : bool
        Whether `longest_kv_tokens` will be asked for.
    """

    __slots__ = (
        "_block",
        "_due",
        "_finish",
        "_growing",
        "_late",
        "_late_tick",
        "_longest",
        "_phases",
        "base",
        "clock",
        "kv_tokens",
    )

    def __init__(self, block_tokens: int, ranked: bool = False) -> None:
        self._block = block_tokens
        self._longest: list[tuple[int, int]] | None = [] if ranked else None
        self._phases = [0] * block_tokens
        self._growing: dict[int, int] = {}
        self._late: list[tuple[int, int]] = []
        self._late_tick: dict[int, int] = {}
        self._finish: list[tuple[int, int]] = []
        self._due: dict[int, int] = {}
        self.base: dict[int, int] = {}
        self.clock = 0
        self.kv_tokens = 0

    def __len__(self) -> int:
        return len(self.base)

    def join(self, request: int, kv_tokens: int, remaining: int, held_blocks: int) -> None:
        """Add a request with `kv_tokens` cached, `remaining` >= 1 iterations to go and `held_blocks` set aside."""
        clock, block = self.clock, self._block
        base = kv_tokens - clock
        due = clock + remaining
        self.base[request] = base
        self._due[request] = due
        self.kv_tokens += kv_tokens
        heappush(self._finish, (due, request))
        if self._longest is not None:
            heappush(self._longest, (-base, request))
        room = held_blocks * block - kv_tokens
        if room < block:
            phase = -base % block
            self._phases[phase] += 1
            self._growing[request] = phase
        elif room < remaining:
            self._late_tick[request] = tick = clock + room - block + 1
            heappush(self._late, (tick, request))

    def leave(self, request: int) -> tuple[int, int]:
        """Take a request out; returns its cached KV tokens and the iterations it still had to go."""
        kv_tokens = self.base.pop(request) + self.clock
        self.kv_tokens -= kv_tokens
        phase = self._growing.pop(request, None)
        if phase is not None:
            self._phases[phase] -= 1
        elif self._late_tick:
            self._late_tick.pop(request, None)
        return kv_tokens, self._due.pop(request) - self.clock

    def longest_kv_tokens(self) -> int:
        """KV tokens cached by the member that has most; 0 when empty. Only for a `ranked` cohort."""
        longest = self._longest
        assert longest is not None
        while longest and self.base.get(longest[0][1]) != -longest[0][0]:
            heappop(longest)
        return self.clock - longest[0][0] if longest else 0

    def steps_to_event(self) -> int:
        """Iterations until the next member finishes or outgrows its reservation; the cohort must not be empty."""
        finish, due = self._finish, self._due
        tick, request = finish[0]
        while due.get(request) != tick:
            heappop(finish)
            tick, request = finish[0]
        if self._late and self._late[0][0] < tick:
            tick = self._late[0][0]
        return tick - self.clock

    def blocks_needed(self, steps: int) -> int:
        """New blocks that `steps` more iterations take."""
        block, phases = self._block, self._phases
        if steps == 1:
            return phases[self.clock % block]
        if block == 1:
            return steps * phases[0]
        full, part = divmod(steps, block)
        need = full * len(self._growing)
        if part:
            start = self.clock % block
            stop = start + part
            if stop <= block:
                need += sum(phases[start:stop])
            else:
                need += sum(phases[start:]) + sum(phases[: stop - block])
        return need

    def needs_block(self, request: int) -> bool:
        """Whether `request` takes a new block in the next iteration."""
        return self._growing.get(request) == self.clock % self._block

    def advance(self, steps: int) -> bool:
        """Let `steps` iterations pass; returns whether somebody may have finished."""
        self.clock = clock = self.clock + steps
        self.kv_tokens += steps * len(self.base)
        if self._late:
            self._start_growing()
        finish = self._finish
        return bool(finish) and finish[0][0] <= clock

    def _start_growing(self) -> None:
        """Count the members whose reservation is used up to its last block among the growing ones."""
        late = self._late
        while late and late[0][0] <= self.clock:
            tick, request = heappop(late)
            if self._late_tick.get(request) == tick:
                del self._late_tick[request]
                phase = -self.base[request] % self._block
                self._phases[phase] += 1
                self._growing[request] = phase

    def pop_finished(self) -> list[tuple[int, int]]:
        """Take out the members that have emitted their last token: (request, its cached KV tokens)."""
        finish, due, clock = self._finish, self._due, self.clock
        done = []
        while finish and finish[0][0] <= clock:
            tick, request = heappop(finish)
            if due.get(request) == tick:
                done.append((request, self.leave(request)[0]))
        return done
