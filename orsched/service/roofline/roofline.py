"""The roofline service model: a chip, a model, and how many chips share it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orsched.checks import check_number, require_whole
from orsched.devices import Chip, ModelConfig
from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint, Scaling, require_scaling
from orsched.service.power import PowerLaw
from orsched.service.roofline.all_reduce import all_reduce
from orsched.service.roofline.amounts import added_up, flops_and_bytes
from orsched.service.roofline.device_power import DevicePower
from orsched.service.roofline.engine import SharedMemory
from orsched.service.roofline.expert_time import ExpertTime
from orsched.service.roofline.operator_sum import OperatorSum, longest, timed
from orsched.service.roofline.pieces import total
from orsched.service.roofline.work import ACTIVATION_BYTES, VARIABLES, ExpertWork, Work, transformer_work

MOST_GPUS = 1024

LEAST_EFFICIENCY = 1e-9
"""Smallest achievable share of a peak, the share of the SMs included."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """Sum over operators of the longest of dispatch, arithmetic and memory traffic (seconds).

    Operators of a layer: the query, key and value projection, rotary embedding with the cache write, attention of
    prompt chunks and of decodes, the output projection, two norms, the feed-forward network (or router and experts)
    and, with several chips, two all-reduces; besides embedding, final norm, and the output head once per sequence that
    produces an output. Operators do not overlap. Products with weights of one byte run at the 8-bit peak, attention at
    the 16-bit one. Sampling and the host are in `overhead_s`.

    Parameters
    ----------
    chip : Chip
        What it runs on.
    model : ModelConfig
        What runs.
    tensor_parallel : int
        Chips that share the model.
    compute_efficiency, memory_efficiency : float, optional
        Achievable share of the chip's peaks; default: the chip's.
    dispatch_s : float, optional
        Least time of an operator; default: the chip's.
    overhead_s : float
        Per iteration, for what is no operator.
    scaling : Scaling, optional
        How it scales with the operating point: arithmetic as compute, traffic as memory; dispatch, links and overhead
        stay as they are.
    power : PowerLaw or DevicePower, optional
        What it draws; default: `DevicePower` of the chip, if its TDP is known.
    """

    chip: Chip
    model: ModelConfig
    tensor_parallel: int = 1
    compute_efficiency: float | None = None
    memory_efficiency: float | None = None
    dispatch_s: float | None = None
    overhead_s: float = 0.0
    scaling: Scaling | None = None
    power: PowerLaw | DevicePower | None = None
    _work: tuple[tuple[Work, ...], ExpertWork | None] = field(init=False, repr=False, compare=False)
    _times: OperatorSum = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_whole("Roofline.tensor_parallel", self.tensor_parallel, most=MOST_GPUS)
        check_number(self, "overhead_s", most=1e6)
        for name in ("compute_efficiency", "memory_efficiency"):
            if getattr(self, name) is not None:
                check_number(self, name, least=LEAST_EFFICIENCY, most=1.0)
        if self.dispatch_s is not None:
            check_number(self, "dispatch_s", most=1.0)
        work, experts = transformer_work(self.model, self.tensor_parallel)
        object.__setattr__(self, "_work", (added_up(work), experts))
        object.__setattr__(self, "_times", self._operator_sum(work, experts))
        if self.power is None:
            products = self._engine(self.model.dtype_bytes)
            made = DevicePower.of(self.chip, self.tensor_parallel, products.flops_s, products.bytes_s)
            object.__setattr__(self, "power", made)

    def _engine(self, dtype_bytes: float) -> SharedMemory:
        compute, memory = self.efficiency
        dispatch_s = self.chip.dispatch_s if self.dispatch_s is None else self.dispatch_s
        return SharedMemory(
            self.chip.peak_flops(dtype_bytes) * compute, self.chip.bandwidth_bytes_s * memory, dispatch_s
        )

    def _operator_sum(self, work: tuple[Work, ...], experts: ExpertWork | None) -> OperatorSum:
        products, others = self._engine(self.model.dtype_bytes), self._engine(2.0)
        lines = {one: timed(one, products if one.group == "projections" else others) for one in work}
        driven = {drives: [made for one, made in lines.items() if one.drives == drives] for drives in VARIABLES}
        tokens = [(1.0, longest(made)) for made in driven["tokens"]]
        if self.tensor_parallel > 1:
            token_bytes = ACTIVATION_BYTES * self.model.hidden
            reduce = all_reduce(self.chip, self.tensor_parallel, token_bytes, others.dispatch_s)
            tokens.append((2.0 * self.model.layers, reduce))
        return OperatorSum(
            tokens=total([*tokens, (1.0, longest([(self.overhead_s, 0.0)]))]),
            experts=None if experts is None else ExpertTime.on(products, experts),
            sequences=total([(1.0, longest(made)) for made in driven["sequences"]]),
            decodes=tuple(driven["decodes"]),
            chunks=tuple(driven["chunks"]),
        )

    @property
    def efficiency(self) -> tuple[float, float]:
        """Achievable shares of peak arithmetic and of peak bandwidth."""
        compute, memory = self.compute_efficiency, self.memory_efficiency
        return (
            self.chip.compute_efficiency if compute is None else compute,
            self.chip.memory_efficiency if memory is None else memory,
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
        """Lower bounds, tight at decodes and prefills of several sizes; proof in `OperatorSum.minorants`."""
        return self._times.minorants()

    def at(self, point: OperatingPoint) -> Roofline:
        """Return the model at another operating point (see `scaling`)."""
        if point == FULL:
            return self
        scaling = require_scaling(self, self.scaling, point)
        compute, memory = self.efficiency
        return replace(
            self,
            compute_efficiency=compute / scaling.compute(point),
            memory_efficiency=memory / scaling.memory(point),
            scaling=None,
            power=self.power and self.power.at(point),
        )

    def work_j(self, batch: Batch) -> float:
        """Joules for the work of an iteration, of all chips, without static power and limit; 0 where nothing is known.

        Affine in the KV tokens of a given number of decodes.
        """
        if isinstance(self.power, DevicePower):
            flops, moved = flops_and_bytes(self._work[0], self._work[1], batch)
            return self.power.work_j(self.tensor_parallel * flops, self.tensor_parallel * moved)
        return 0.0 if self.power is None else self.power.work_j(batch)

    def power_w(self, batch: Batch) -> float | None:
        """Mean power over the iteration, watts, of all chips; None where nothing is known."""
        if isinstance(self.power, DevicePower):
            return self.power.power_w(self.work_j(batch), self.iteration_s(batch))
        return None if self.power is None else self.power.power_w(batch, self.iteration_s(batch))
