"""From files to the groups they hold, and to the profile of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.calibration.formats import (
    AIC_ATTENTION,
    AIC_COMM,
    AIC_GEMM,
    ITERATIONS,
    MIXED,
    MUXSERVE,
    OPERATORS,
    SKEW,
    SPLITWISE,
    V0_ATTENTION,
    V0_LAYERS,
    VIDUR,
    Format,
)
from experiments.calibration.profile import Profile
from experiments.calibration.readers import (
    aiconfigurator,
    iteration_profile,
    llmservingsim,
    llmservingsim_v0,
    muxserve,
    splitwise,
    vidur,
)
from experiments.calibration.readers.tables import Tables, read_tables
from experiments.calibration.request import Wanted, plain_model, spelling_of
from orsched.devices import find_model
from orsched.errors import InputError

Group = tuple[str, str, int]
"""GPU, model and tensor-parallel degree; the model is empty where the format does not tell it."""

_READERS: Mapping[str, tuple[Format, Callable[[Tables, Wanted], Profile]]] = {
    ITERATIONS.name: (ITERATIONS, iteration_profile.read),
    MIXED.name: (MIXED, llmservingsim.read),
    V0_ATTENTION.name: (V0_ATTENTION, llmservingsim_v0.read),
    VIDUR.name: (VIDUR, vidur.read),
    AIC_ATTENTION.name: (AIC_ATTENTION, aiconfigurator.read),
    SPLITWISE.name: (SPLITWISE, splitwise.read),
    MUXSERVE.name: (MUXSERVE, muxserve.read),
}
"""By the format that decides how a set of files is read; the first that is there."""

_BESIDE: Mapping[str, tuple[Format, ...]] = {
    MIXED.name: (OPERATORS, SKEW, AIC_COMM),
    V0_ATTENTION.name: (V0_LAYERS, AIC_COMM),
    VIDUR.name: (AIC_ATTENTION, AIC_GEMM, AIC_COMM),
    AIC_ATTENTION.name: (AIC_GEMM, AIC_COMM),
}
"""What else the reader of a format uses."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a set of files.

    Parameters
    ----------
    tables : Tables
        The checked tables.
    leading : str
        Format that decides how they are read.
    known : tuple of Group
        Groups that are there.
    """

    tables: Tables
    leading: str
    known: tuple[Group, ...]

    def choose(self, gpu: str | None, model: str | None, tensor_parallel: int | None) -> Group:
        """Return the only group that fits what is given.

        Raises
        ------
        InputError
            When none or several fit, listing them; or when the format does not tell the model and none is given.
        """
        found = self.choose_all(gpu, model, tensor_parallel)
        if len(found) > 1:
            raise InputError(
                f"the profile holds several groups; choose one with --gpu, --model and --tensor-parallel: "
                f"{_listed(found)}"
            )
        name, of_file, degree = found[0]
        if not of_file and model is None:
            raise InputError(f"{self.leading} does not tell the model: give --model, and --tensor-parallel if not 1")
        return name, of_file or str(model), degree or tensor_parallel or 1

    def choose_all(self, gpu: str | None, model: str | None, tensor_parallel: int | None) -> tuple[Group, ...]:
        """Return all groups that fit what is given.

        Raises
        ------
        InputError
            When none fits, listing what is there.
        """
        spelt_gpu = None if gpu is None else spelling_of(gpu, (group[0] for group in self.known), self.leading)
        there = tuple(
            group
            for group in self.known
            if (gpu is None or group[0] == spelt_gpu) and (tensor_parallel is None or group[2] in (0, tensor_parallel))
        )
        found = there
        if model is not None:
            spelt = [group for group in there if not group[1] or plain_model(group[1]) == plain_model(model)]
            shape = find_model(model)
            alike = [group for group in there if shape is not None and find_model(group[1]) is shape]
            found = tuple(spelt or alike)
        if not found:
            raise InputError(f"no such group in the profile; it holds {_listed(self.known)}")
        return found

    def read(self, wanted: Wanted) -> Profile:
        """Read one group."""
        return _READERS[self.leading][1](self.tables, wanted)


def read_groups(paths: Iterable[Path]) -> Groups:
    """Read and check profile files, and list the groups they hold.

    Raises
    ------
    InputError
        When a file is refused or would not be used, or no file says by itself what an iteration takes.
    """
    tables = read_tables(paths)
    for name, (known, _) in _READERS.items():
        if known in tables:
            _require_used(tables, known)
            return Groups(tables, name, _groups(tables, known))
    raise InputError(
        f"{', '.join(tables.by_format)}: a part of a profile only; one of {', '.join(_READERS)} is needed too"
    )


def _require_used(tables: Tables, leading: Format) -> None:
    used = {leading.name, *(known.name for known in _BESIDE.get(leading.name, ()))}
    idle = [file for name, files in tables.files.items() if name not in used for file in files]
    if idle:
        raise InputError(f"{', '.join(idle)}: not used beside a {leading.name} table; leave it out")


def _groups(tables: Tables, known: Format) -> tuple[Group, ...]:
    table = tables.one(known)
    degree = next((name for name in ("tensor_parallel", "num_gpus") if name in table.columns), None)
    rows = zip(
        table["gpu"],
        table["model"] if "model" in table.columns else [""] * len(table),
        table[degree].astype(int) if degree else [0] * len(table),
        strict=True,
    )
    return tuple(sorted(set(rows)))


def _listed(groups: Iterable[Group]) -> str:
    return "; ".join(
        f"{gpu}" + (f", {model}" if model else "") + (f", tensor parallel {degree}" if degree else "")
        for gpu, model, degree in groups
    )
