"""A compute engine beside a memory engine: compute-in-memory and compute-in-DRAM, or a GPU and PIM."""

from __future__ import annotations

from dataclasses import dataclass, field

from orsched.checks import check_number
from orsched.devices import Chip, ModelConfig
from orsched.errors import InputError, unknown_name
from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint, Scaling, require_scaling
from orsched.service.power import PowerLaw
from orsched.service.roofline.engine import Engine, SeparateTransfer, SharedMemory
from orsched.service.roofline.mapping import MAPPINGS, Side
from orsched.service.roofline.operator_sum import OperatorSum, longest, timed
from orsched.service.roofline.pieces import Pieces, switched, total
from orsched.service.roofline.work import VARIABLES, Work, transformer_work


@dataclass(frozen=True, slots=True)
class TwoResource:
    """Two engines that share one memory; an operator runs on the engine that the mapping says (seconds).

    Ours, until the tables of HALO (arXiv 2510.02675) are at hand. With FLOPs F, weight or KV bytes W and activation
    bytes A of an operator:

    - compute engine: ``max(F / R_m, W / B_ext) + A / B_ext``; weights travel from the memory to it,
    - memory engine: ``max(F / R_cid, W / B_cid) + A / B_ext``; it reads inside the memory,
    - norms, activations and the like run on vector units beside the compute engine: ``A / B_ext``.

    Parameters
    ----------
    compute, memory : Chip
        The engines: peak FLOP/s, and for the memory engine its internal bandwidth as `bandwidth_bytes_s`; that of the
        compute engine is ``B_ext``, between the two. Each with its efficiencies and dispatch time.
    model : ModelConfig
        What runs; without experts.
    mapping : str
        A key of `MAPPINGS`.
    overhead_s : float
        Per iteration, for what is no operator.
    scaling : Scaling, optional
        None is known: another operating point is refused.
    power : PowerLaw, optional
        What it draws; unknown by default.
    """

    compute: Chip
    memory: Chip
    model: ModelConfig
    mapping: str = "phase-aware"
    overhead_s: float = 0.0
    scaling: Scaling | None = None
    power: PowerLaw | None = None
    _times: OperatorSum = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number(self, "overhead_s", most=1e6)
        if self.mapping not in MAPPINGS:
            raise unknown_name("mapping", self.mapping, MAPPINGS)
        if self.model.experts:
            raise InputError(f"TwoResource.model = {self.model.name}: the two-resource model knows no experts")
        if self.scaling is not None:
            raise InputError("TwoResource.scaling: how two engines scale with the operating point is not known")
        work, _ = transformer_work(self.model, 1)
        object.__setattr__(self, "_times", self._operator_sum(work))

    @property
    def external_bytes_s(self) -> float:
        """Achievable bandwidth between the engines, ``B_ext``."""
        return self.compute.bandwidth_bytes_s * self.compute.memory_efficiency

    @property
    def switch_tokens(self) -> float:
        """Tokens in an iteration from which weights had better be streamed to the compute engine.

        On the memory engine a product takes ``F / R_cid`` once it is bound by arithmetic, on the compute engine at
        least ``W / B_ext``. With ``F = 2 T W / w`` for weights of ``w`` bytes they are equal at
        ``b* = w R_cid / (2 B_ext)``.
        """
        rate = self.memory.fp16_flops * self.memory.compute_efficiency
        return self.model.dtype_bytes * rate / (2.0 * self.external_bytes_s)

    def _operator_sum(self, work: tuple[Work, ...]) -> OperatorSum:
        mapping = MAPPINGS[self.mapping]
        side: dict[Side, Engine] = {"compute": self._engine(self.compute), "memory": self._engine(self.memory)}
        vector = SharedMemory(self.compute.fp16_flops, self.external_bytes_s, self.compute.dispatch_s)
        switch = mapping.switch_tokens(self.switch_tokens)

        def pieces(one: Work) -> Pieces:
            if one.group == "vector":
                return longest(timed(one, vector))
            return switched(longest(timed(one, side["memory"])), longest(timed(one, side["compute"])), switch)

        driven = {drives: [one for one in work if one.drives == drives] for drives in VARIABLES}
        return OperatorSum(
            tokens=total([*((1.0, pieces(one)) for one in driven["tokens"]), (1.0, longest([(self.overhead_s, 0.0)]))]),
            experts=None,
            sequences=total([(1.0, pieces(one)) for one in driven["sequences"]]),
            decodes=tuple(timed(one, side[mapping.decode]) for one in driven["decodes"]),
            chunks=tuple(timed(one, side[mapping.prefill]) for one in driven["chunks"]),
        )

    def _engine(self, chip: Chip) -> SeparateTransfer:
        return SeparateTransfer(
            chip.fp16_flops * chip.compute_efficiency,
            chip.bandwidth_bytes_s * chip.memory_efficiency,
            self.external_bytes_s,
            chip.dispatch_s,
        )

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration, seconds."""
        return self._times.iteration_s(batch)

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read."""
        return self._times.decode_curve(num_seqs)

    def kv_skew(self, num_seqs: float) -> float:
        """0: traffic is the sum of the contexts, however they are divided."""
        return 0.0

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Lower bounds; proof in `OperatorSum.minorants`. Where products switch engines they use the convex hull."""
        return self._times.minorants()

    def at(self, point: OperatingPoint) -> TwoResource:
        """Return the model at another operating point: only the full one is known."""
        if point != FULL:
            require_scaling(self, None, point)
        return self

    def power_w(self, batch: Batch) -> float | None:
        """Mean power over the iteration in watts; None without a power law."""
        return None if self.power is None else self.power.power_w(batch, self.iteration_s(batch))
