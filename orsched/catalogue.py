"""A model on a device: its service-time model, its KV memory and where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from orsched.checks import check_number, has_control, is_whole, shown
from orsched.errors import InputError, unknown_name
from orsched.service import ServiceModel

MOST_SEQS = 2**31 - 1
"""Largest batch that an instance may hold; files may have less (`orsched.hardware_file.MOST_SEQS`)."""

MOST_KV_TOKENS = 10**12
"""Largest KV memory."""

MOST_NAME = 300
"""Longest name that is looked up; paths of files may be longer."""


@dataclass(frozen=True, slots=True)
class FitError:
    """Relative errors ``|model - measured| / measured`` of a fit on one group of points, as fractions.

    Parameters
    ----------
    group : str
        Regime (decode, prefill, chunked, mixed), or what was left out of the fit.
    points : int
        Points compared.
    mape, p95_ape : float
        Mean and 95th percentile.
    """

    group: str
    points: int
    mape: float
    p95_ape: float


@dataclass(frozen=True, slots=True)
class Hardware:
    """One kind of instance.

    Parameters
    ----------
    name : str
        Catalogue name, ``"model/device"``.
    service : ServiceModel
        Iteration times.
    kv_capacity_tokens : int
        KV tokens that fit (``C``).
    max_num_seqs : int
        Most requests in one batch (``B_max``).
    block_tokens : int
        KV allocation unit; 1 is token granularity.
    keeps_preempted_kv : bool
        Whether the KV blocks of a preempted request stay cached until somebody takes them, so that it recomputes only
        what was lost (vLLM's prefix caching). Blocks freed first are taken first, a request's last block before its
        first.
    keeps_prefixes : bool
        Whether prompts that begin alike share what they have in common (`Workload.prefix_blocks`), and blocks that
        nobody uses stay cached until they are needed (`orsched.engine.prefix_cache.PrefixCache`). Includes
        `keeps_preempted_kv`, which must be true.
    kv_bytes_per_token : float, optional
        Bytes that one token of context takes when it is sent to another instance: of the whole instance, all its GPUs
        together, KV heads that are copied counted once. None: not known, nothing can be sent.
    kind : str
        ``fitted``, ``measured``, ``datasheet``, ``theory`` or ``hypothetical``.
    source : str
        Where the coefficients come from.
    notes : str
        Honest limits.
    fit_error : tuple of FitError
        Errors of the fit by regime.
    cross_error : tuple of FitError
        Errors on groups that were left out of the fit.
    valid_range : mapping of str to (float, float)
        What the fit has seen, by the names of `orsched.service.Batch`; beyond it the model extrapolates. Empty: not
        known.
    tdp_w : float, optional
        Power limit of the whole instance, watts.
    cost : float, optional
        Relative or absolute price of the whole instance; `cost_unit` says which.
    cost_unit : str
        Unit and date of `cost`.
    """

    name: str
    service: ServiceModel
    kv_capacity_tokens: int
    max_num_seqs: int = 256
    block_tokens: int = 1
    keeps_preempted_kv: bool = False
    keeps_prefixes: bool = False
    kv_bytes_per_token: float | None = None
    kind: str = "hypothetical"
    source: str = ""
    notes: str = ""
    fit_error: tuple[FitError, ...] = ()
    cross_error: tuple[FitError, ...] = ()
    valid_range: Mapping[str, tuple[float, float]] = field(default_factory=dict, compare=False)
    tdp_w: float | None = None
    cost: float | None = None
    cost_unit: str = ""

    def __post_init__(self) -> None:
        limits = {"kv_capacity_tokens": MOST_KV_TOKENS, "max_num_seqs": MOST_SEQS, "block_tokens": MOST_KV_TOKENS}
        for name, most in limits.items():
            value = getattr(self, name)
            if not is_whole(value, 1, most):
                raise InputError(f"Hardware.{name} = {shown(value)}: must be a whole number >= 1 and <= {most:,}")
        if self.block_tokens > self.kv_capacity_tokens:
            raise InputError(
                f"Hardware.block_tokens = {self.block_tokens} exceeds the KV capacity {self.kv_capacity_tokens}"
            )
        if self.keeps_prefixes and not self.keeps_preempted_kv:
            raise InputError(
                "Hardware.keeps_prefixes = True needs keeps_preempted_kv = True: what is preempted is cached"
            )
        if self.kv_bytes_per_token is not None:
            check_number(self, "kv_bytes_per_token", above=True, unit="bytes")


def hardware(model: str, device: str | None = None) -> Hardware:
    """Look up a catalogue entry, or read one from a file.

    Parameters
    ----------
    model : str
        A catalogue name such as ``"llama2-7b/a100-80g"``; or its first part, with `device` the second; or the path of a
        TOML file (it ends in ``.toml``) as `orsched calibrate` writes it. Another spelling of a name, or another name
        of its model or chip, means the fitted entry of that model and chip if there is one (`orsched.spelling`). What
        has no entry may be composed of a known model and a known chip, as ``"llama2-70b/h100-sxm-tp8"``
        (`orsched.composition`).
    device : str, optional
        The device, if `model` is a model's name only.

    Raises
    ------
    UnknownNameError
        When there is no such entry and none can be composed; the message suggests the nearest names.
    InputError
        When a name is no string or has control characters; when the name means several fitted entries; when the model
        does not fit on the chips it is composed with; or the file cannot be read or breaks the schema: the message
        names the field.
    """
    for part in (model,) if device is None else (model, device):
        if not isinstance(part, str):
            raise unknown_name("hardware", part, hardware_names())
        if has_control(part):
            raise InputError(f"hardware {shown(part)}: a name has no control characters")
    name = model if device is None else f"{model}/{device}"
    if name.endswith(".toml"):
        from orsched.hardware_file import read_hardware

        return read_hardware(Path(name))
    if name in hardware_names():
        return catalogue_entry(name)
    if len(name) > MOST_NAME:
        raise InputError(f"hardware {shown(name)}: a name has at most {MOST_NAME} characters")
    from orsched.composition import composed_hardware
    from orsched.spelling import entry_meant

    meant = entry_meant(name)
    return composed_hardware(name) if meant is None else catalogue_entry(meant)


@cache
def hardware_names() -> tuple[str, ...]:
    """Names of all catalogue entries, sorted."""
    files = (item.name for item in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".toml").replace("_", "/", 1) for name in files if name.endswith(".toml")))


@cache
def catalogue_entry(name: str) -> Hardware:
    """Return the entry of exactly that name, one of `hardware_names`."""
    from orsched.hardware_file import hardware_from_toml

    file = _FOLDER / (name.replace("/", "_", 1) + ".toml")
    return hardware_from_toml(file.read_text(encoding="utf-8"), f"catalogue entry {name}")


_FOLDER = resources.files("orsched") / "data" / "hardware"
