"""A calibration as it is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.calibration.calibrating import MOST_ERROR, calibrate, fitting_rows, in_lockstep, with_overhead
from experiments.calibration.calibration import Calibration
from experiments.calibration.capacity import at_least_measured, kv_capacity
from experiments.calibration.end_to_end import Overhead
from experiments.calibration.entry import ENGINE_SEATS, Instance, entry_name, entry_of
from experiments.calibration.formats import ITERATIONS, MIXED, MUXSERVE, SPLITWISE
from experiments.calibration.peaks import memory_bytes_of
from experiments.calibration.plausibility import implausible, limits_of
from experiments.calibration.profile import Profile
from experiments.calibration.readers import Groups, read_groups
from experiments.calibration.request import Wanted
from experiments.calibration.shapes import Shape, shape_of
from experiments.calibration.transfer import LeftOut, Sized, leave_out
from experiments.notebook import frames_html
from orsched.catalogue import FitError, Hardware
from orsched.checks import require_number
from orsched.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

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

    def frame(self) -> pd.DataFrame:
        """Errors by regime and of cross-checks; see `experiments.calibration.frames.outcome_frame`."""
        from experiments.calibration.frames import outcome_frame

        return outcome_frame(self)

    def _repr_html_(self) -> str:
        return frames_html({f"{self.profile.group}: {type(self.found.service).__name__.lower()}": self.frame()})

    def with_overhead(self, overhead: Overhead, of: str, order: Order) -> Outcome:
        """Add a fitted overhead to the model, and say so in the notes.

        Raises
        ------
        InputError
            When the error that is left exceeds the limit and that was not accepted.
        """
        before, after = overhead.before["tpot"], overhead.after["tpot"]
        if abs(after) > order.most_error and not order.accept_error:
            raise InputError(
                f"with the overhead that fits {of} best the mean time per output token is still off by {after:+.1%}, "
                f"more than the limit of {order.most_error:.1%}; raise --max-error, or take it with --accept-error"
            )
        said = (
            f"overhead of {overhead.overhead_s * 1e3:.3g} ms an iteration fitted to {of}: error of the mean time per "
            f"output token {before:+.1%} without, {after:+.1%} with it"
        )
        found = with_overhead(self.found, overhead.overhead_s)
        return replace(self, found=replace(found, notes=(*found.notes, said)), overhead=overhead, overhead_of=of)


def accepted(outcome: Outcome, order: Order) -> Outcome:
    """Refuse a calibration that lacks a kind of batches or is too far off, unless that was accepted; then say so.

    Raises
    ------
    InputError
        With what is wrong and what to do about it.
    """
    regimes = set(outcome.found.kept["regime"])
    problems = []
    if "decode" not in regimes and "mixed" not in regimes:
        problems.append("the profile has no decodes: a model of it would take no time for them")
    if regimes == {"decode"}:
        problems.append("the profile has no prompts: a model of it would take no time for them")
    off = _beyond_limit(outcome.found, order)
    for said in problems if not off else (*problems, off):
        if not order.accept_error:
            raise InputError(f"{said}; take it with --accept-error")
    notes = tuple(f"accepted although {said}" for said in (*problems, *([off] if off else [])))
    return replace(outcome, found=replace(outcome.found, notes=(*outcome.found.notes, *notes)))


def attempt(order: Order) -> Outcome:
    """Read the files and calibrate the group, however large the error.

    Raises
    ------
    InputError
        When the files cannot be used, or their times are not believed.
    """
    groups = read_groups(order.files)
    gpu, model, degree = groups.choose(order.gpu, order.model, order.tensor_parallel)
    wanted, shape = _wanted(order, groups, gpu, model, degree)
    if order.ranks > 1 and (groups.leading != MIXED.name or not (shape.complete and shape.config.experts)):
        raise InputError(
            f"--ranks {order.ranks}: ranks share the experts of a mixture, and only a {MIXED.name} profile times these"
        )
    profile = groups.read(wanted)
    limits = limits_of(wanted, shape.complete)
    doubt = implausible(profile, limits)
    if doubt and not order.accept_error:
        raise InputError(f"{doubt} Take the times with --accept-error")
    capacity, why = _capacity(order, wanted, shape)
    if capacity is not None and order.kv_capacity_tokens is None and profile.kernels is None:
        capacity, why = at_least_measured(capacity, why, profile.iterations, order.block_tokens)
    found = calibrate(
        profile, order.form, None if capacity is None else max(1, capacity // order.ranks), None if doubt else limits
    )
    if doubt:
        found = replace(found, notes=(*found.notes, f"accepted although {doubt}"))
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
        capacity = None
        if profile.kernels is not None:
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
        memory = order.memory_gb * 1e9 if order.memory_gb is not None else memory_bytes_of(wanted.gpu)
    except InputError as error:
        return None, f"the memory of {wanted.gpu!r} is not known ({error}): give --memory-gb or --kv-capacity-tokens"
    try:
        return kv_capacity(shape.config, memory, wanted.tensor_parallel, order.block_tokens, order.ranks)
    except InputError as error:
        return None, str(error)


def _beyond_limit(found: Calibration, order: Order) -> str:
    """Say by how much the worst regime exceeds the limit, and what may help; empty when it does not."""
    worst = max(found.errors, key=_mape)
    if worst.mape <= order.most_error:
        return ""
    said = f"mean error of {worst.mape:.1%} in regime {worst.group!r} exceeds the limit of {order.most_error:.1%}"
    other = "try --form tabulated or hinged, " if order.form == "affine" else ""
    return f"the {said}; {other}look at --plot, or raise --max-error"


def _mape(error: FitError) -> float:
    return error.mape if np.isfinite(error.mape) else np.inf
