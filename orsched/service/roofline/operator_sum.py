"""The time of an iteration as a sum of operators, each bound by one of its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.roofline.engine import Engine, Line
from orsched.service.roofline.expert_time import ExpertTime
from orsched.service.roofline.pieces import Pieces, Segment, lower_hull, total, upper_envelope
from orsched.service.roofline.work import Work

Lines = tuple[Line, ...]

REFERENCES = (
    Batch(num_seqs=8, kv_tokens=8 * 1024.0),
    Batch(prompt_tokens=2048, chunk_attention=2048**2 / 2),
)
"""Batches at which the minorants are tight, but for the least times that attention operators have (see `minorants`).

One decode batch bound by memory, one prompt bound by arithmetic. More of them gain less than 1% on dense models, and
the programmes that enumerate batch compositions grow steeply with the number of minorants.
"""

_MOST_CURVES = 4096


@dataclass(frozen=True, slots=True)
class OperatorSum:
    """Iteration time by what drives it (seconds).

    Parameters
    ----------
    tokens : Pieces
        Operators driven by the tokens ``T = P + B``, and everything constant.
    experts : ExpertTime or None
        The expert layers.
    sequences : Pieces
        Operators driven by the sequences that produce an output, ``S = B + [P > 0]``.
    decodes : tuple of lines
        For each operator of decoding requests its lines ``(constant, per B, per K)``, the first its least time.
    chunks : tuple of lines
        For each operator of prompt chunks its lines ``(constant, per P, per A, per past token)``, likewise.
    """

    tokens: Pieces
    experts: ExpertTime | None
    sequences: Pieces
    decodes: tuple[Lines, ...]
    chunks: tuple[Lines, ...]
    _curves: dict[float, PiecewiseLinear] = field(default_factory=dict, init=False, repr=False, compare=False)

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration."""
        prompt, attention, past, seqs, kv, _ = batch
        tokens = prompt + seqs
        time = self.tokens(tokens) + self.sequences(seqs + 1 if prompt else seqs)
        if self.experts is not None:
            time += self.experts(tokens)
        if seqs:
            for lines in self.decodes:
                time += max([c + b * seqs + k * kv for c, b, k in lines])
        if prompt:
            for lines in self.chunks:
                time += max([c + p * prompt + a * attention + r * past for c, p, a, r in lines])
        return time

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read; curves are kept, at most `_MOST_CURVES`."""
        curve = self._curves.get(num_seqs)
        if curve is None:
            if len(self._curves) >= _MOST_CURVES:
                self._curves.clear()
            curve = self._curves[num_seqs] = self._decode_curve(num_seqs)
        return curve

    def _decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        fixed = self.tokens(num_seqs) + self.sequences(num_seqs)
        if self.experts is not None:
            fixed += self.experts(num_seqs)
        curves = [upper_envelope((c + b * num_seqs, k) for c, b, k in lines) for lines in self.decodes]
        curve = total([(1.0, pieces) for pieces in curves])
        return PiecewiseLinear([fixed + c for c, _ in curve.segments], [k for _, k in curve.segments], curve.breaks)

    def minorants(self) -> tuple[Minorant, ...]:
        """Affine functions that never exceed the iteration time of a batch with a request in it.

        Each operator takes at least as long as any one of its lines, so a sum with one line of each operator is a lower
        bound. We take, for each batch of `REFERENCES`, the lines that bind there:

        - tokens: a line of the largest convex function below them for ``T >= 1`` (there is at least one token); for
          pieces that are convex already this is the segment at the reference;
        - experts: a line of `ExpertTime.lower`;
        - sequences: likewise for ``S >= 1`` (a decode or a chunk), and at ``B <= S``: the slope is not negative;
        - attention: never the least time, which is owed only when there is a decode, or a chunk; the other lines are
          not positive without one. The term in past tokens is dropped, it is not negative.

        Where all of these have a base of zero or less, the constant of one token and one sequence is added: the least
        of each function, so that bounds know an iteration takes time.
        """
        hull = lower_hull(self.tokens, 1.0)
        expert_hull = None if self.experts is None else self.experts.lower()
        heads = lower_hull(self.sequences, 1.0)
        found = [self._tangent(reference, hull, expert_hull, heads) for reference in REFERENCES]
        if max(minorant.base_s for minorant in found) <= 0:
            least = sum(_least(part) for part in (hull, expert_hull, heads) if part is not None)
            found.append(Minorant(least, 0.0, 0.0, 0.0))
        return tuple(dict.fromkeys(found))

    def _tangent(self, at: Batch, hull: Pieces, expert_hull: Pieces | None, heads: Pieces) -> Minorant:
        tokens = at.prompt_tokens + at.num_seqs
        base, token_s = _rising(hull, tokens)
        if expert_hull is not None:
            more, slope = expert_hull.segment(tokens)
            base, token_s = base + more, token_s + slope
        more, sequence_s = _rising(heads, at.num_seqs + (1 if at.prompt_tokens else 0))
        decode = _binding(self.decodes, (at.num_seqs, at.kv_tokens) if at.num_seqs else _ONE_DECODE)
        chunk = _binding(self.chunks, (at.prompt_tokens, at.chunk_attention, 0.0) if at.prompt_tokens else _ONE_CHUNK)
        return Minorant(
            base_s=base + more,
            prompt_token_s=token_s + sum(line[1] for line in chunk),
            sequence_s=token_s + sequence_s + sum(line[1] for line in decode),
            kv_token_s=sum(line[2] for line in decode),
            chunk_attention_s=sum(line[2] for line in chunk),
        )


_ONE_DECODE = (1.0, 1024.0)
_ONE_CHUNK = (512.0, 512.0**2 / 2, 0.0)


def _rising(hull: Pieces, x: float) -> Segment:
    """Return the line that touches a convex function at `x`, or the constant of its least value if that one falls."""
    intercept, slope = hull.segment(x)
    if slope >= 0:
        return intercept, slope
    for at, segment in zip(hull.breaks, hull.segments[1:], strict=True):
        if segment[1] >= 0:
            return segment[0] + segment[1] * at, 0.0
    raise AssertionError("the last slope of a time is not negative")


def _least(hull: Pieces) -> float:
    """Return the least value of a convex function from 1 on."""
    intercept, slope = _rising(hull, 1.0)
    return intercept + slope


def _binding(operators: Sequence[Lines], x: tuple[float, ...]) -> list[Line]:
    """For each operator the longest of its lines at `x`, its least time aside."""

    def at_x(line: Line) -> float:
        return sum(c * v for c, v in zip(line[1:], x, strict=True))

    return [max(lines[1:], key=at_x) for lines in operators]


def timed(work: Work, engine: Engine) -> Lines:
    """Return the lines of all runs of an operator on an engine."""
    return tuple(tuple(work.count * c for c in line) for line in engine.lines(work))


def longest(lines: Iterable[Line]) -> Pieces:
    """Return the maximum of lines of one variable."""
    return upper_envelope((line[0], line[1]) for line in lines)
