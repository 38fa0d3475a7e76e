"""From what a user gives - a specification, a folder, workers or a cluster - to a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.comparison.runner import REQUESTS_PER_WORKER
from experiments.execution.backend import Backend, on_this_machine
from experiments.execution.opening import open_for
from experiments.execution.run import Ran, execute
from experiments.execution.watcher import Watcher
from experiments.results.folder import ResultsFolder
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.spec import ExperimentSpec
    from experiments.spec.settings import Precision


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that may start: everything was checked that can be checked before.

    Parameters
    ----------
    spec : ExperimentSpec
        What.
    folder : ResultsFolder
        Where.
    backend : Backend
        By whom.
    """

    spec: ExperimentSpec
    folder: ResultsFolder
    backend: Backend

    def run(self, *, retry_failed: bool = False, watcher: Watcher | None = None) -> Ran:
        """Run it; see `execute`."""
        return execute(self.spec, self.folder, backend=self.backend, retry_failed=retry_failed, watcher=watcher)


def resolved(spec: ExperimentSpec | str | Path) -> ExperimentSpec:
    """Find a specification: a value, the path of a ``.toml`` file, or the name of a ready one.

    Raises
    ------
    InputError
        When there is none, or it cannot be used.
    """
    from experiments.spec import read_spec, ready_spec

    if isinstance(spec, Path) or (isinstance(spec, str) and (spec.endswith(".toml") or Path(spec).is_file())):
        return read_spec(Path(spec))
    return ready_spec(spec) if isinstance(spec, str) else spec.absolute()


def with_precision(spec: ExperimentSpec, wanted: float | Precision) -> ExperimentSpec:
    """`spec`, replicated until means are known well enough.

    Parameters
    ----------
    spec : ExperimentSpec
        What is replicated; how often it says itself does not count.
    wanted : float or Precision
        A share of the mean, for the metric and the limits of the own precision of `spec`, or else for its first
        metric; or all of it, in the place of its own.

    Raises
    ------
    InputError
        When that is no share of a mean.
    """
    from pydantic import ValidationError

    from experiments.spec import ExperimentSpec, Precision
    from orsched.toml_file import explain

    settings = spec.model_dump(exclude={"replications", "precision"}, exclude_unset=True)
    if isinstance(wanted, Precision):
        precision = wanted.model_dump()
    else:
        own = {"metric": spec.metrics[0]} if spec.precision is None else spec.precision.model_dump()
        precision = {**own, "relative": wanted}
    try:
        return ExperimentSpec.model_validate({**settings, "precision": precision})
    except ValidationError as error:
        raise InputError(explain(error)) from None


def begin(
    spec: ExperimentSpec,
    out: Path,
    *,
    where: str = "",
    workers: int | None = None,
    cluster: str | None = None,
    extend: bool = False,
) -> Begun:
    """Check everything that can be checked, and open the folder.

    Parameters
    ----------
    spec : ExperimentSpec
        What to run.
    out : Path
        Results folder.
    where : str
        Where `spec` comes from, for errors: the path of its file.
    workers : int, optional
        Processes on this machine; None: as many cores as pay off.
    cluster : str, optional
        Address of a Dask scheduler in place of this machine.
    extend : bool
        As for `open_for`.

    Raises
    ------
    InputError
        Naming what cannot be used; the folder is as it was then.
    """
    if workers is not None and cluster is not None:
        raise InputError("give workers (of this machine) or a cluster, not both")
    backend = None if cluster is None else _cluster(cluster)
    try:
        spec.require_runnable()
        tasks = spec.tasks()
    except InputError as error:
        if not where or str(error).startswith(where):
            raise
        raise InputError(f"{where}: {error}") from None
    if backend is None:
        requests = sum(task.path.requests for task in tasks)
        backend = on_this_machine(
            workers, min(len(tasks), requests // REQUESTS_PER_WORKER) if workers is None else len(tasks)
        )
    return Begun(spec, open_for(spec, out, extend=extend), backend)


def _cluster(address: str) -> Backend:
    from experiments.execution.cluster import Cluster

    return Cluster(address)
