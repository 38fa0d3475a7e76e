"""A calibration as it is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.calibration.calibrating import MOST_ERROR, calibrate, fitting_rows, in_lockstep, with_overhead
from experiments.calibration.calibration import Calibration
from experiments.calibration.capacity import kv_capacity
from experiments.calibration.end_to_end import Overhead
from experiments.calibration.entry import ENGINE_SEATS, Instance, entry_name, entry_of
from experiments.calibration.formats import ITERATIONS, MUXSERVE, SPLITWISE
from experiments.calibration.peaks import peaks_of
from experiments.calibration.profile import Profile
from experiments.calibration.readers import Groups, read_groups
from experiments.calibration.request import Wanted
from experiments.calibration.shapes import Shape, shape_of
from experiments.calibration.transfer import LeftOut, Sized, leave_out
from orsched.catalogue import FitError, Hardware
from orsched.checks import require_number
from orsched.errors import InputError

_WHOLE = (ITERATIONS.name, MUXSERVE.name, SPLITWISE.name)


@dataclass(frozen=True, slots=True)
class Order:
    """What to calibrate and how; the options of ``orsched calibrate``.

    Parameters
    ----------
    files : tuple of Path
        Profiles.
    form : str
        Form of the model.
    gpu, model : str, optional
        Group, where the files hold several.
    tensor_parallel : int, optional
        As `gpu`.
    layers : int, optional
        Layers of a model that is not known.
    model_file : Path, optional
        Shape of a model that is not known.
    ranks : int
        Data-parallel ranks in lockstep that share the experts.
    collectives_gpu : str, optional
        GPU whose collectives stand in.
    name : str, optional
        Of the entry.
    kv_capacity_tokens : int, optional
        KV memory of an instance; None: derived from `memory_gb`.
    memory_gb : float, optional
        Memory of one GPU, 1e9 B; None: that of its data sheet.
    max_num_seqs, block_tokens : int
        Seats, and tokens of a block.
    most_error : float
        Largest mean relative error of a regime that is accepted.
    accept_error : bool
        Accept a larger one, and record that.
    source, licence : str
        Of the profile, for the entry.
    """

    files: tuple[Path, ...]
    form: str = "hinged"
    gpu: str | None = None
    model: str | None = None
    tensor_parallel: int | None = None
    layers: int | None = None
    model_file: Path | None = None
    ranks: int = 1
    collectives_gpu: str | None = None
    name: str | None = None
    kv_capacity_tokens: int | None = None
    memory_gb: float | None = None
    max_num_seqs: int = ENGINE_SEATS[0]
    block_tokens: int = 16
    most_error: float = MOST_ERROR
    accept_error: bool = False
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        require_number("--max-error", self.most_error, above=True)
        if self.memory_gb is not None:
            require_number("--memory-gb", self.memory_gb, above=True)
        if self.ranks < 1:
            raise InputError(f"--ranks {self.ranks}: must be at least 1")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A calibrated group.

    Parameters
    ----------
    profile : Profile
        What it was made from.
    found : Calibration
        Model and errors.
    wanted : Wanted
        The group.
    instance : Instance or None
        What an entry would say; None when the KV capacity is not known.
    capacity_problem : str
        Why it is not known.
    overhead : Overhead, optional
        What end-to-end points gave, and to what it was fitted.
    overhead_of : str
        The points.
    """

    profile: Profile
    found: Calibration
    wanted: Wanted
    instance: Instance | None
    capacity_problem: str = ""
    overhead: Overhead | None = None
    overhead_of: str = ""

    def entry(self) -> dict[str, Any]:
        """Content of the hardware file.

        Raises
        ------
        InputError
            When the KV capacity is not known.
        """
        if self.instance is None:
            raise InputError(self.capacity_problem)
        return entry_of(self.profile, self.found, self.instance)

    def hardware(self) -> Hardware:
        """The instance, for simulation."""
        from experiments.calibration.toml_text import toml_text
        from orsched.hardware_file import hardware_from_toml

        return hardware_from_toml(toml_text(self.entry()), self.profile.group)

    def with_overhead(self, overhead: Overhead, of: str) -> Outcome:
        """Add a fitted overhead to the model, and say so in the notes."""
        before, after = overhead.before["tpot"], overhead.after["tpot"]
        said = (
            f"overhead of {overhead.overhead_s * 1e3:.3g} ms an iteration fitted to {of}: error of the mean time per "
            f"output token {before:+.1%} without, {after:+.1%} with it"
        )
        found = with_overhead(self.found, overhead.overhead_s)
        return replace(self, found=replace(found, notes=(*found.notes, said)), overhead=overhead, overhead_of=of)


def carry_out(order: Order) -> Outcome:
    """Read the files, calibrate the group and hold its error against the limit.

    Raises
    ------
    InputError
        With the reason and what to do about it.
    """
    groups = read_groups(order.files)
    gpu, model, degree = groups.choose(order.gpu, order.model, order.tensor_parallel)
    wanted, shape = _wanted(order, groups, gpu, model, degree)
    profile = groups.read(wanted)
    capacity, why = _capacity(order, wanted, shape)
    found = calibrate(profile, order.form, None if capacity is None else max(1, capacity // order.ranks))
    found = _within_limit(found, order)
    if order.ranks > 1:
        found = in_lockstep(found, order.ranks)
    instance = None
    if capacity is not None:
        name = order.name or entry_name(model, gpu, degree)
        source = order.source or f"{', '.join(path.name for path in order.files)} ({profile.group})"
        instance = Instance(
            name,
            capacity,
            why,
            source,
            order.licence,
            max_num_seqs=order.max_num_seqs,
            max_num_seqs_source="given" if order.max_num_seqs != ENGINE_SEATS[0] else ENGINE_SEATS[1],
            block_tokens=order.block_tokens,
        )
    return Outcome(profile, found, wanted, instance, "" if instance else why)


def left_out(order: Order, what: str) -> tuple[LeftOut, ...]:
    """Leave out each GPU, model or tensor-parallel degree of the files in turn.

    Raises
    ------
    InputError
        When there is only one, or a model or GPU is not known.
    """
    groups = read_groups(order.files)
    sized = []
    for gpu, of_file, degree in groups.choose_all(order.gpu, order.model, order.tensor_parallel):
        model = of_file or order.model
        if not model:
            raise InputError(f"{groups.leading} does not tell the model: give --model")
        wanted, shape = _wanted(order, groups, gpu, model, degree or order.tensor_parallel or 1)
        if not shape.complete:
            raise InputError(f"--leave-out needs the shape of {model!r}: give --model-file")
        try:
            profile = groups.read(wanted)
        except InputError:
            continue  # a group that the files hold only in part
        capacity, _ = _capacity(replace(order, kv_capacity_tokens=None), wanted, shape)
        sized.append(Sized(profile, wanted.shape, fitting_rows(profile.iterations, capacity)))
    return leave_out(sized, what)


def _wanted(order: Order, groups: Groups, gpu: str, model: str, degree: int) -> tuple[Wanted, Shape]:
    shape = shape_of(model, order.layers, order.model_file, groups.leading not in _WHOLE)
    return Wanted(gpu, model, degree, shape.config, order.ranks, order.collectives_gpu), shape


def _capacity(order: Order, wanted: Wanted, shape: Shape) -> tuple[int | None, str]:
    """KV tokens and where they come from; None and what is missing."""
    if order.kv_capacity_tokens is not None:
        if order.kv_capacity_tokens < order.block_tokens:
            raise InputError(
                f"--kv-capacity-tokens {order.kv_capacity_tokens}: must hold a block of {order.block_tokens}"
            )
        return order.kv_capacity_tokens, "given"
    if not shape.complete:
        return None, f"the KV memory of {wanted.model!r} is not known: give --kv-capacity-tokens, or --model-file"
    try:
        memory = order.memory_gb * 1e9 if order.memory_gb is not None else peaks_of(wanted.gpu).memory_bytes
    except InputError:
        return None, f"the memory of {wanted.gpu!r} is not known: give --memory-gb or --kv-capacity-tokens"
    try:
        return kv_capacity(shape.config, memory, wanted.tensor_parallel, order.block_tokens, order.ranks)
    except InputError as error:
        return None, str(error)


def _within_limit(found: Calibration, order: Order) -> Calibration:
    worst = max(found.errors, key=_mape)
    if worst.mape <= order.most_error:
        return found
    said = f"mean error of {worst.mape:.1%} in regime {worst.group!r} exceeds the limit of {order.most_error:.1%}"
    if not order.accept_error:
        other = "try --form tabulated or hinged, " if order.form == "affine" else ""
        raise InputError(f"{said}; {other}look at --plot, raise --max-error, or take it with --accept-error")
    return replace(found, notes=(*found.notes, f"accepted although the {said}"))


def _mape(error: FitError) -> float:
    return error.mape if np.isfinite(error.mape) else np.inf
