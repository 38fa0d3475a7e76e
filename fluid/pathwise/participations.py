"""What the requests of a sample path have to get done, and what it is worth when time has a price."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fluid.modes.batches import batch_modes, chunk_minorants
from fluid.modes.little import seat_ranges
from fluid.modes.participants import ATTENTION, decode_reading, participants_at, prefill_of
from fluid.modes.table import ModeTable
from fluid.modes.worths import best_worths
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.service import Minorant
from orsched.work import Floats
from orsched.workloads import Workload

_DECODE_NODES = 4
_EXACT = 64
_ROUNDING = 1e-9
_CACHED = 512


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What decides the worths: hardware, lengths told apart, and whether prompt tokens are set apart."""

    hardware: Hardware
    least_prompt: int
    prompts: tuple[float, ...]
    reads: tuple[float, ...]
    apart: bool

    @property
    def products(self) -> tuple[str, ...]:
        return (*map(prefill_of, self.prompts), ATTENTION, *map(decode_reading, self.reads))


@dataclass(frozen=True, slots=True, eq=False)
class Participations:
    """Amounts of each kind that every request has to get done.

    Every output token is emitted once: the first by a prefill, which may come in chunks, the others by a
    decode that reads n tokens, or by the re-prefill that replaces it after a preemption. A length between two nodes
    counts as a mixture of the nodes with the same mean, which is exact for all that an affine minorant sees
    (`fluid.modes.participants.serving_participants`). `worths` are such that in every iteration of length T, with b
    participants and ``made_k`` of each kind, and with all minorants of the service model at once,

        b T + c T >= sum_k worth_k made_k                                   (`fluid.modes.participation_worths`).

    *Set apart.* `apart` reads prefills differently. Let ``π`` be the part of an iteration's time that all
    minorants grant its prompt tokens: `floor`, the least coefficients, times what it prefills for the first
    time. Then ``T - π`` is at least the largest of the minorants without that part, so the worths of that
    smaller service model hold for it, with b counting only those that emit later tokens: a prefill takes no
    seat there, so that a short one is just a part of the longest. And ``π`` is a kind of its own, worth c per second:

        (b + c) (T - π) + c π >= sum_k worth_k made_k.

    Parameters
    ----------
    kinds : _Kinds
        What decides the worths.
    parts : ndarray of float64, shape (k, n)
        Amounts by kind and request. The last kind is the work set apart, seconds (zero if none is).
    floor : Minorant
        What each prompt token is granted by every minorant; zero if nothing is set apart.
    """

    kinds: _Kinds
    parts: Floats
    floor: Minorant

    @classmethod
    def of(cls, workload: Workload, hardware: Hardware) -> Participations:
        """Read prefills as participations."""
        return cls._read(workload, hardware, Minorant(0.0, 0.0, 0.0, 0.0))

    @classmethod
    def apart(cls, workload: Workload, hardware: Hardware) -> Participations:
        """Set the time that all minorants grant to prompt tokens apart."""
        minorants = chunk_minorants(hardware, int(workload.input_tokens.min()))
        token = min(m.prompt_token_s for m in minorants) * (1 - _ROUNDING)
        attention = min(m.chunk_attention_s for m in minorants) * (1 - _ROUNDING)
        return cls._read(workload, hardware, Minorant(0.0, token, 0.0, 0.0, attention))

    @classmethod
    def _read(cls, workload: Workload, hardware: Hardware, floor: Minorant) -> Participations:
        work = workload.work
        lengths, steps = work.prompt_tokens.astype(float), work.decode_iterations.astype(float)
        prompts, reads = _ends(lengths), _reads(lengths, steps)
        apart = floor.prompt_token_s > 0 or floor.chunk_attention_s > 0
        prompts = prompts[-1:] if apart else prompts
        kinds = _Kinds(_hashable(hardware), int(lengths.min()), tuple(prompts.tolist()), tuple(reads.tolist()), apart)
        parts = [
            *([lengths / prompts[0]] if apart else _mixture(lengths, np.ones(len(lengths)), prompts)),
            work.chunk_attention,
            *_mixture(lengths, steps, reads),
            prefill_s(workload, floor),
        ]
        return cls(kinds, np.stack(parts), floor)

    @property
    def totals(self) -> Floats:
        """Amounts by kind over all requests, shape ``(k,)``."""
        sums: Floats = self.parts.sum(axis=1)
        return sums

    def worths(self, price: float) -> Floats:
        """Worth of one unit of each kind at a price of time, shape ``(k,)``.

        Parameters
        ----------
        price : float
            c >= 0, request-seconds per second of an instance; infinite for seconds of an instance per unit.
        """
        amounts = tuple((self.totals[:-1] / self.parts.shape[1]).tolist())
        own = 1.0 if math.isinf(price) else price
        return np.append(_worths(self.kinds, amounts, price), own)

    def promise(self, price: float, period_s: float) -> float:
        """Request-seconds that one price gives if everything is done within so many seconds of instances."""
        return float(self.worths(price) @ self.totals) - price * period_s


def prefill_s(workload: Workload, minorant: Minorant) -> Floats:
    """Marginal work of each prompt, however it is cut into chunks; seconds, shape ``(n,)``."""
    work = workload.work
    prompts: Floats = minorant.prompt_token_s * work.prompt_tokens + minorant.chunk_attention_s * work.chunk_attention
    return prompts


@lru_cache(maxsize=_CACHED)
def _worths(kinds: _Kinds, amounts: tuple[float, ...], price: float) -> Floats:
    """Worths of all kinds but the one set apart; kept because paths at several loads ask for the same."""
    table = _modes(kinds)
    wanted = np.array(amounts)
    used = (wanted > 0) & np.array([bool(table.rates(name).any()) for name in kinds.products])
    cost = table.iteration_s * (1.0 if math.isinf(price) else table.rates("present") + price)
    names = [name for name, use in zip(kinds.products, used.tolist(), strict=True) if use]
    made = np.stack([table.rates(name) * table.iteration_s for name in names], axis=1)
    worths = np.zeros(len(wanted))
    worths[used] = best_worths(made, cost, wanted[used])
    return worths


@lru_cache(maxsize=4)
def _modes(kinds: _Kinds) -> ModeTable:
    """Every batch composition, under all minorants, without the time set apart."""
    hw = kinds.hardware
    minorants = chunk_minorants(hw, kinds.least_prompt)
    seats = seat_ranges(hw.max_num_seqs, _EXACT)
    if kinds.apart:
        token, attention = (min(getattr(m, f) for m in minorants) for f in ("prompt_token_s", "chunk_attention_s"))
        minorants = tuple(
            replace(m, prompt_token_s=m.prompt_token_s - token, chunk_attention_s=m.chunk_attention_s - attention)
            for m in minorants
        )
        seats = [(0, 0), *seats]
    people = participants_at(np.array(kinds.prompts), np.array(kinds.reads), prefill_seats=0 if kinds.apart else 1)
    if not any(m.chunk_attention_s for m in minorants):
        people = tuple(p for p in people if not p.batch.chunk_attention)
    tables = [batch_modes(hw, people, s, least_prompt=kinds.least_prompt, minorants=minorants) for s in seats]
    return ModeTable.joined(tables)


def _hashable(hardware: Hardware) -> Hardware:
    try:
        hash(hardware)
    except TypeError:
        raise InputError(
            f"{hardware.name}: its service model cannot be hashed, so what was computed for it cannot be found again; "
            "make it a frozen dataclass of numbers and tuples"
        ) from None
    return hardware


def _ends(lengths: Floats) -> Floats:
    return _two_digits(np.array([lengths.min(), lengths.max()]))


def _reads(first: Floats, steps: Floats) -> Floats:
    """Contexts at which decodes are told apart: the ends of what occurs, and quantiles of the requests' middles."""
    some = steps > 0
    if not some.any():
        return np.zeros(0)
    first, steps = first[some], steps[some]
    middles = first + (steps - 1) / 2
    order = np.argsort(middles, kind="stable")
    share = np.cumsum(steps[order])
    places = np.searchsorted(share, np.linspace(0.0, share[-1], _DECODE_NODES)[1:-1])
    return _two_digits(np.concatenate([[first.min()], middles[order][places], [float(np.max(first + steps - 1))]]))


def _two_digits(nodes: Floats) -> Floats:
    """Round nodes to two digits, the ends outward, so that similar paths share one table of modes."""
    unit = 10.0 ** np.maximum(np.floor(np.log10(np.maximum(nodes, 1.0))) - 1, 0)
    rounded = np.round(nodes / unit)
    rounded[0], rounded[-1] = np.floor(nodes[0] / unit[0]), np.ceil(nodes[-1] / unit[-1])
    if nodes[0] == nodes[-1]:
        return nodes[:1]
    return np.unique(rounded * unit)


def _mixture(first: Floats, count: Floats, nodes: Floats) -> Floats:
    """Shares at the nodes of ``first, first + 1, ..`` (count of them) for each request, shape ``(nodes, n)``.

    The weights of a piecewise-linear interpolation are second differences of the sums of ``(x - node)^+``.
    """
    if len(nodes) < 2:
        return np.tile(count, (len(nodes), 1))
    above = np.stack([_excess(first, count, node) for node in nodes.tolist()])
    slopes = np.diff(above, axis=0) / np.diff(nodes)[:, None]
    weights = np.diff(np.concatenate([-count[None, :], slopes, np.zeros((1, len(count)))]), axis=0)
    return np.asarray(np.maximum(weights, 0.0), dtype=float)


def _excess(first: Floats, count: Floats, level: float) -> Floats:
    """``sum_{k < count} max(0, first + k - level)`` for each request."""
    below: Floats = np.clip(np.ceil(level - first), 0.0, count)
    left = count - below
    total: Floats = left * (first + below - level) + left * (left - 1) / 2
    return np.maximum(total, 0.0)
