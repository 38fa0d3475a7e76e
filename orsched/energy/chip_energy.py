"""Energy of a chip: joules per byte and per operation, from which a model's power law follows."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.checks import check_number, require_number, require_whole
from orsched.errors import InputError
from orsched.service.power import PowerLaw


@dataclass(frozen=True, slots=True)
class ChipEnergy:
    """What one chip draws, whatever model runs on it.

    Parameters
    ----------
    running_w : float
        Watts of one chip while an iteration runs, beyond its bytes and operations; idling included.
    byte_j : float
        Joules per byte of weights or KV cache read.
    flop_j : float
        Joules per floating-point operation.
    idle_w : float
        Watts of one chip while nothing runs, at most `running_w`.
    most_w : float
        Power limit of one chip, watts.
    clock_exponent : float
        ``alpha`` of `orsched.service.PowerLaw`.
    relative_error : float
        Stated uncertainty as a fraction.
    source : str
        Where the numbers come from; an assumption says so.

    Notes
    -----
    An iteration of a model with ``W`` weights of ``w`` bytes, ``k`` bytes of KV per token and ``a`` weights active per
    token costs ``running_w T + byte_j (w W + k K) + 2 flop_j a (P + B)`` joules. Left out: the operations of attention,
    activations, collectives, sampling. (Ours; docs/energy.md tests it on models left out of the fit.)

    Examples
    --------
    >>> chip = ChipEnergy(running_w=90, byte_j=2e-10, flop_j=1e-12, idle_w=60, most_w=400)
    >>> law = chip.power_law(parameters=7e9, kv_token_bytes=5e5)
    >>> law.idle_w, law.active_w, round(law.iteration_j, 6), round(law.sequence_j, 6), round(law.kv_token_j, 6)
    (60.0, 30.0, 2.8, 0.014, 0.0001)
    """

    running_w: float
    byte_j: float
    flop_j: float
    idle_w: float
    most_w: float
    clock_exponent: float = 2.0
    relative_error: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("running_w", "byte_j", "flop_j", "idle_w", "relative_error"):
            check_number(self, field)
        check_number(self, "most_w", above=True)
        check_number(self, "clock_exponent", most=4.0)
        if not self.idle_w <= self.running_w <= self.most_w:
            raise InputError(
                f"ChipEnergy.running_w = {self.running_w!r}: must be from idle_w = {self.idle_w!r} to "
                f"most_w = {self.most_w!r}"
            )

    def power_law(
        self,
        parameters: float,
        kv_token_bytes: float,
        *,
        active_parameters: float | None = None,
        weight_bytes: float = 2.0,
        chips: int = 1,
    ) -> PowerLaw:
        """Return the power law of a model on a group of such chips.

        Parameters
        ----------
        parameters : float
            Weights that an iteration reads (of a mixture of experts: all, once the batch is large).
        kv_token_bytes : float
            Bytes of KV cache per token, over the whole group.
        active_parameters : float, optional
            Weights that work on each token; by default all.
        weight_bytes : float
            Bytes per weight.
        chips : int
            Chips in the group.

        Raises
        ------
        InputError
            For a number that cannot be, or more active weights than weights.
        """
        active = parameters if active_parameters is None else active_parameters
        require_number("parameters", parameters, above=True)
        require_number("kv_token_bytes", kv_token_bytes)
        require_number("active_parameters", active, above=True, most=parameters)
        require_number("weight_bytes", weight_bytes, above=True)
        require_whole("chips", chips)
        token_j = 2.0 * self.flop_j * active
        return PowerLaw(
            idle_w=float(chips * self.idle_w),
            active_w=float(chips * (self.running_w - self.idle_w)),
            iteration_j=self.byte_j * weight_bytes * parameters,
            prompt_token_j=token_j,
            sequence_j=token_j,
            kv_token_j=self.byte_j * kv_token_bytes,
            most_w=float(chips * self.most_w),
            clock_exponent=self.clock_exponent,
            relative_error=self.relative_error,
            source=self.source,
        )
