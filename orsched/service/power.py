"""Power of an instance: what an iteration costs in joules beyond idling."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.checks import check_number
from orsched.errors import InputError
from orsched.service.model import Batch
from orsched.service.point import OperatingPoint

_JOULES = ("iteration_j", "prompt_token_j", "sequence_j", "kv_token_j")


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Energy of an iteration: static power over its time, and joules for its work.

    An iteration of ``T`` seconds costs

        E = min( most_w T,  (idle_w + active_w) T + iteration_j + prompt_token_j P + sequence_j B + kv_token_j K )

    joules, with ``P, B, K`` as in `orsched.service.Batch`; all of the whole instance (every GPU of a tensor-parallel
    group). Nothing running costs `idle_w`. Energy per decoded token is then ``e0 + e1 / B`` with ``e0`` the joules of
    a sequence and its KV and ``e1 = iteration_j + (idle_w + active_w) T``. At a clock of ``f`` (share of the full
    clock) each joule of work becomes ``f^alpha`` joules and `active_w` becomes ``f^(1 + alpha)`` times itself: for
    work whose time goes as ``1/f`` that is the power ``A + B f^(1 + alpha)``.

    Parameters
    ----------
    idle_w : float
        Power while nothing runs, watts.
    iteration_j, prompt_token_j, sequence_j, kv_token_j : float
        Joules per iteration, prompt token, decoding request and KV token read.
    most_w : float
        Power limit (TDP), watts: mean power of an iteration is cut there.
    active_w : float
        Watts beyond `idle_w` for as long as an iteration runs, whatever its work.
    clock_exponent : float
        ``alpha``, in [0, 4]. 2 is the textbook law (voltage proportional to the clock).
    relative_error : float
        Stated uncertainty of the law as a fraction; zero when unknown, see `source`.
    source : str
        Where the numbers come from; an assumption says so.

    Raises
    ------
    InputError
        For a negative or non-finite number, or a static power above `most_w`.
    """

    idle_w: float
    iteration_j: float
    prompt_token_j: float
    sequence_j: float
    kv_token_j: float
    most_w: float
    active_w: float = 0.0
    clock_exponent: float = 2.0
    relative_error: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("idle_w", "active_w", *_JOULES, "relative_error"):
            check_number(self, field)
        check_number(self, "most_w", above=True)
        check_number(self, "clock_exponent", most=4.0)
        if self.idle_w + self.active_w > self.most_w:
            raise InputError(
                f"PowerLaw.idle_w + active_w = {self.idle_w + self.active_w!r}: must be <= most_w = {self.most_w!r}"
            )

    def work_j(self, batch: Batch) -> float:
        """Joules for the work of an iteration, without static power and limit."""
        return (
            self.iteration_j
            + self.prompt_token_j * batch.prompt_tokens
            + self.sequence_j * batch.num_seqs
            + self.kv_token_j * batch.kv_tokens
        )

    def energy_j(self, batch: Batch, iteration_s: float) -> float:
        """Energy of an iteration of `batch` that lasts `iteration_s` seconds, joules."""
        return min(self.most_w * iteration_s, (self.idle_w + self.active_w) * iteration_s + self.work_j(batch))

    def power_w(self, batch: Batch, iteration_s: float) -> float:
        """Mean power of an iteration of `batch` that lasts `iteration_s` seconds, watts."""
        return min(self.most_w, self.idle_w + self.active_w + self.work_j(batch) / iteration_s)

    def at(self, point: OperatingPoint) -> PowerLaw:
        """Return the law at another clock; the share of the SMs does not enter."""
        factor = point.clock_share**self.clock_exponent
        joules = {name: factor * getattr(self, name) for name in _JOULES}
        return replace(self, active_w=point.clock_share * factor * self.active_w, **joules)
