"""``orsched reproduce`` as a call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.notebook import frames_html
from experiments.orders.arguments import taken
from experiments.orders.values import require_counts

if TYPE_CHECKING:
    import pandas as pd

    from experiments.reproductions.store import CellStore


class ReproductionFrames(NamedTuple):
    """A paper's experiments beside what was published.

    Parameters
    ----------
    comparisons : pandas.DataFrame
        One row per published number: group, what, published, source, ours, verdict, reason; name, version, seed and
        what belongs to no sweep in ``attrs``.
    sweeps : pandas.DataFrame
        One row per sweep: its name and settings.
    cells : pandas.DataFrame
        One row per cell of a sweep; nested numbers have joined names, as ``latency_mean_s_mean``.
    """

    comparisons: pd.DataFrame
    sweeps: pd.DataFrame
    cells: pd.DataFrame

    def _repr_html_(self) -> str:
        return frames_html(self._asdict())


@taken
def reproduce(
    paper: str,
    *,
    quick: bool = False,
    out: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> ReproductionFrames:
    """Run a paper's experiments and compare them with what was published.

    Parameters
    ----------
    paper : str
        wait, ares or polyserve.
    quick : bool
        Few and short sample paths.
    out : str or Path, optional
        Folder to write the page and its figures to; there an interrupted run goes on where it stopped. By default
        nothing is written, unlike the command's ``docs/reproductions``.
    seed : int
        Of every random stream.
    workers : int, optional
        Processes; None: the usable cores. Nothing but time depends on it.

    Returns
    -------
    ReproductionFrames
        Every published number beside ours, and the numbers that ours rest on.

    Raises
    ------
    InputError
        As ``orsched reproduce`` for the same options.
    """
    from experiments.reproductions import get_reproduction
    from experiments.reproductions.plan import compute_cells
    from experiments.reproductions.writing import require_page, stem_of, write_page

    require_counts(workers=workers)
    require_counts(0, sys.maxsize, seed=seed)
    reproduction = get_reproduction(paper)
    stem = stem_of(paper, quick)
    if out is not None:
        require_page(Path(out), stem)
    plan = reproduction.plan(quick, seed)
    with _cells(out) as store:
        report = plan.report(compute_cells(plan.tasks, store, workers=workers))
        if out is not None:
            write_page(report, Path(out), stem)
        store.clear()
    return _frames(report.document())


@contextmanager
def _cells(out: str | Path | None) -> Iterator[CellStore]:
    """Where finished cells are meanwhile."""
    from experiments.reproductions.store import CellStore
    from experiments.reproductions.writing import CELLS

    if out is not None:
        yield CellStore(Path(out) / CELLS)
        return
    with TemporaryDirectory() as folder:
        yield CellStore(Path(folder))


def _frames(document: dict[str, Any]) -> ReproductionFrames:
    import pandas as pd

    comparisons = pd.DataFrame(document.pop("comparisons"))
    sweeps = document.pop("sweeps")
    cells = [{"sweep": sweep["name"], **cell} for sweep in sweeps for cell in sweep.pop("cells")]
    comparisons.attrs.update(document)
    return ReproductionFrames(comparisons, pd.json_normalize(sweeps, sep="_"), pd.json_normalize(cells, sep="_"))
