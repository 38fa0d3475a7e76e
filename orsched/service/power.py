"""Power of an instance: what an iteration costs in joules beyond idling."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.checks import check_number
from orsched.service.model import Batch
from orsched.service.point import OperatingPoint


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Energy of an iteration: ``idle_w T + iteration_j + prompt_token_j P + sequence_j B + kv_token_j K`` joules.

    With ``T`` the iteration time and ``P, B, K`` as in `orsched.service.Batch`; all of the whole instance (every GPU
    of a tensor-parallel group). Energy per decoded token is then ``e0 + e1 / B`` with ``e0`` the joules of a sequence
    and its KV and ``e1 = iteration_j + idle_w T``. At a clock of ``f`` (share of the full clock) everything but idling
    costs ``f^clock_exponent`` times as much: for work whose time goes as ``1/f`` that is ``P = A + B f^(1 + alpha)``.

    Parameters
    ----------
    idle_w : float
        Power while nothing runs, watts.
    iteration_j, prompt_token_j, sequence_j, kv_token_j : float
        Joules per iteration, prompt token, decoding request and KV token read.
    most_w : float
        Power limit (TDP), watts: mean power of an iteration is cut there.
    clock_exponent : float
        ``alpha``, in [0, 4].
    relative_error : float
        Stated uncertainty of the law as a fraction; zero when unknown, see `source`.
    source : str
        Where the numbers come from; an assumption says so.
    """

    idle_w: float
    iteration_j: float
    prompt_token_j: float
    sequence_j: float
    kv_token_j: float
    most_w: float
    clock_exponent: float = 2.0
    relative_error: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("idle_w", "iteration_j", "prompt_token_j", "sequence_j", "kv_token_j", "relative_error"):
            check_number(self, field)
        check_number(self, "most_w", above=True)
        check_number(self, "clock_exponent", most=4.0)

    def power_w(self, batch: Batch, iteration_s: float) -> float:
        """Mean power of an iteration of `batch` that lasts `iteration_s` seconds, watts."""
        work_j = (
            self.iteration_j
            + self.prompt_token_j * batch.prompt_tokens
            + self.sequence_j * batch.num_seqs
            + self.kv_token_j * batch.kv_tokens
        )
        return min(self.most_w, self.idle_w + work_j / iteration_s)

    def at(self, point: OperatingPoint) -> PowerLaw:
        """Return the law at another clock; the share of the SMs does not enter."""
        factor = point.clock_share**self.clock_exponent
        names = ("iteration_j", "prompt_token_j", "sequence_j", "kv_token_j")
        return replace(self, **{name: factor * getattr(self, name) for name in names})
