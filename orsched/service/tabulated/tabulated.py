"""The tabulated service model: iteration times interpolated from profiles of a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orsched.checks import check_is, check_number, require_number
from orsched.errors import InputError
from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint, Scaling, require_scaling
from orsched.service.power import PowerLaw
from orsched.service.tabulated.curve import Curve
from orsched.service.tabulated.grid import Grid
from orsched.service.tabulated.mapping import require_keys, table_from_mapping, table_to_mapping
from orsched.service.tabulated.tightest import tightest_minorants
from orsched.service.tabulated.values import require_monotone

_CURVES = ("tokens", "sequences")
_AXES = {"prefill": 2, "decode": 2, "mixed": 3}
_CURVES_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Tabulated:
    """Iteration time as a sum of interpolated profiles (seconds).

    ``T = overhead_s + tokens(P + B) + sequences(B + [P > 0])`` plus attention: ``decode(B, c)`` without prompt tokens,
    ``chunks(P, A) + mixed(P, B, c)`` with them, where ``c = K / B`` is the context of each decode (no decode term
    without decodes) and ``P, A, B, K`` are the fields of `orsched.service.Batch`. With a `skew` and a known longest
    context, ``K`` is first raised as in `kv_skew`.

    *Chunks.* With the mean span ``s = A / P`` (cached and own tokens that a prompt token attends to), the prompt
    tokens count as ``P / p`` equal chunks of ``p = min(P, max(2 s, p_1), p_max)`` tokens with ``s - p / 2`` (or 0)
    tokens cached before each: ``chunks = P / p prefill(p, s - p / 2)``; the axis of `prefill` is ``p_1 .. p_max``. One
    chunk within the axis is exactly itself; several become the fewest equal ones of the same ``P`` and ``A``.

    *Outside the tables.* Below the first point of an axis a table is constant: a kernel takes its least time however
    little it does. Beyond the last, more tokens, sequences, context or cached tokens cost as over the last doubling
    (`Curve`, `Grid`); the attention of more decodes than the table's ``n_max`` costs ``B / n_max`` times that of
    ``n_max``; `mixed` at more prompt tokens is that at the most. These are extrapolations.

    Parameters
    ----------
    overhead_s : float
        Per iteration, what kernel times miss (engine, host).
    tokens : Curve
        All layers without attention, by tokens in the batch ``P + B``.
    sequences : Curve
        What is done for each sequence that gives an output token, by ``B + [P > 0]``.
    prefill : Grid
        Attention of a chunk, all layers, by (prompt tokens of the chunk, tokens cached before).
    decode : Grid
        Attention of a decode-only iteration by (num_seqs, context tokens of each).
    mixed : Grid
        What the attention of decodes adds to `prefill` by (prompt tokens, num_seqs, context tokens of each).
    skew : Curve, optional
        `kv_skew` by num_seqs, values in [0, 1], constant beyond its ends.
    scaling : Scaling, optional
        How it scales with the operating point. The first value of `tokens` (reading weights), `sequences`, `decode` and
        `mixed` as memory traffic, the rest of `tokens` and `prefill` as arithmetic; the overhead stays.
    power : PowerLaw, optional
        What it draws.

    Raises
    ------
    InputError
        When a field is of another type or has another number of axes, `tokens` or `sequences` decreases, the skew
        leaves [0, 1], or an iteration would take no time.
    """

    overhead_s: float
    tokens: Curve
    sequences: Curve
    prefill: Grid
    decode: Grid
    mixed: Grid
    skew: Curve | None = None
    scaling: Scaling | None = None
    power: PowerLaw | None = None
    _curves: dict[float, PiecewiseLinear] = field(init=False, repr=False, compare=False, default_factory=dict)
    _minorants: list[Minorant] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        check_number(self, "overhead_s", unit="seconds")
        for name in _CURVES:
            check_is(self, name, Curve)
            require_monotone(f"Tabulated.{name}.values", getattr(self, name).values)
        for name, axes in _AXES.items():
            check_is(self, name, Grid)
            if len(getattr(self, name).axes) != axes:
                raise InputError(f"Tabulated.{name} has {len(getattr(self, name).axes)} axes: must have {axes}")
        if self.prefill.axes[0][0] <= 0:
            raise InputError("Tabulated.prefill.axes[0][0] = 0: chunks have prompt tokens, start above 0")
        if self.skew is not None:
            check_is(self, "skew", Curve)
            if max(self.skew.values) > 1:
                raise InputError(f"Tabulated.skew.values = {self.skew.values!r}: must be from 0 to 1")
        if self.overhead_s + self.tokens.values[0] + self.sequences.values[0] <= 0:
            raise InputError("Tabulated: an iteration must take time, give overhead_s or tokens.values[0] > 0")

    @classmethod
    def from_mapping(
        cls, coefficients: Mapping[str, Any], scaling: Scaling | None = None, power: PowerLaw | None = None
    ) -> Tabulated:
        """Build the model from the ``[coefficients]`` of a hardware file.

        Parameters
        ----------
        coefficients : mapping
            ``overhead_s``; ``tokens``, ``sequences`` and optionally ``skew``, each a table of ``at`` and ``values``;
            ``prefill``, ``decode`` and ``mixed``, each a table of ``axes`` and ``values`` (nested lists).
        scaling, power : Scaling, PowerLaw, optional
            As in the class.

        Raises
        ------
        InputError
            Naming what is missing, unknown or impossible.
        """
        require_keys("coefficients", coefficients, ("overhead_s", *_CURVES, *_AXES), ("skew",))
        parts: dict[str, Any] = {
            name: table_from_mapping(f"coefficients.{name}", Grid if name in _AXES else Curve, coefficients[name])
            for name in (*_CURVES, *_AXES, "skew")
            if name in coefficients
        }
        overhead_s = coefficients["overhead_s"]
        require_number("coefficients.overhead_s", overhead_s, unit="seconds")
        return cls(overhead_s=float(overhead_s), **parts, scaling=scaling, power=power)

    def to_mapping(self) -> dict[str, Any]:
        """Return the ``[coefficients]`` of a hardware file: numbers and nested lists."""
        tables = {name: table_to_mapping(getattr(self, name)) for name in (*_CURVES, *_AXES)}
        skew = {} if self.skew is None else {"skew": table_to_mapping(self.skew)}
        return {"overhead_s": self.overhead_s, **tables, **skew}

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration, seconds."""
        prompt, attention, _, seqs, kv, longest = batch
        time = self.overhead_s + self.tokens(prompt + seqs)
        if prompt > 0:
            time += self.sequences(seqs + 1) + self._chunks_s(prompt, attention / prompt)
        else:
            time += self.sequences(seqs)
        if seqs <= 0:
            return time
        if longest > 0 and self.skew is not None and seqs * longest > kv:
            kv += self.kv_skew(seqs) * (seqs * longest - kv)
        context = kv / seqs
        if prompt > 0:
            most = self.mixed.axes[1][-1]
            added = self.mixed.in_space(prompt, seqs, context)
        else:
            most = self.decode.axes[0][-1]
            added = self.decode.on_plane(seqs, context)
        return time + (added if seqs <= most else seqs / most * added)

    def _chunks_s(self, prompt: float, span: float) -> float:
        """Attention of `prompt` tokens that each attend to `span` tokens in the mean."""
        sizes = self.prefill.axes[0]
        each = min(prompt, max(2 * span, sizes[0]), sizes[-1])
        time = self.prefill.on_plane(each, span - 0.5 * each)
        return time if each == prompt else prompt / each * time

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read; kept, asking again costs nothing."""
        curve = self._curves.get(num_seqs)
        if curve is None:
            if len(self._curves) >= _CURVES_KEPT:
                self._curves.clear()
            curve = self._curves[num_seqs] = self._decode_curve(num_seqs)
        return curve

    def _decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        fixed = self.overhead_s + self.tokens(num_seqs) + self.sequences(num_seqs)
        if num_seqs <= 0:
            return PiecewiseLinear([fixed], [0.0])
        most, contexts = self.decode.axes[0][-1], self.decode.axes[1]
        times = max(1.0, num_seqs / most)
        row = self.decode.row(num_seqs)
        intercepts = [fixed + times * (value - slope * at) for at, (value, slope) in zip(contexts, row, strict=True)]
        slopes = [times * slope / num_seqs for _, slope in row]
        breaks = [num_seqs * at for at in contexts]
        if breaks[0] > 0:
            return PiecewiseLinear([fixed + times * row[0][0], *intercepts], [0.0, *slopes], breaks)
        return PiecewiseLinear(intercepts, slopes, breaks[1:])

    def kv_skew(self, num_seqs: float) -> float:
        """Effect of unequal contexts; see `orsched.service.ServiceModel.kv_skew`."""
        if self.skew is None:
            return 0.0
        return self.skew(min(num_seqs, self.skew.at[-1]))

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Affine functions below the iteration time, found once; proof in `orsched.service.tabulated.minorants`."""
        if not self._minorants:
            self._minorants.extend(tightest_minorants(self))
        return tuple(self._minorants)

    def at(self, point: OperatingPoint) -> Tabulated:
        """Return the model at another operating point (see `scaling`)."""
        if point == FULL:
            return self
        scaling = require_scaling(self, self.scaling, point)
        compute, memory = scaling.compute(point), scaling.memory(point)
        floor = self.tokens.values[0]
        return replace(
            self,
            tokens=Curve(self.tokens.at, tuple(memory * floor + compute * (v - floor) for v in self.tokens.values)),
            sequences=Curve(self.sequences.at, tuple(memory * value for value in self.sequences.values)),
            prefill=self.prefill.times(compute),
            decode=self.decode.times(memory),
            mixed=self.mixed.times(memory),
            scaling=None,
            power=self.power and self.power.at(point),
        )

    def power_w(self, batch: Batch) -> float | None:
        """Mean power over the iteration in watts; None without a power law."""
        return None if self.power is None else self.power.power_w(batch, self.iteration_s(batch))
