"""A calibration carried out: accepted or refused, with end-to-end points if there are any, written if asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.calibration.order import Order, Outcome, accepted, attempt
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Delivery:
    """What to do with a calibrated model.

    Parameters
    ----------
    out : Path, optional
        The hardware file to write, ``.toml``.
    plot : Path, optional
        The figure to draw, measured against model; it is drawn also when the model is refused.
    points : Path, optional
        A request log, or TTFT and TPOT points, to which the overhead of an iteration is fitted.
    max_num_batched_tokens : int
        With `points`: token budget of the engine.
    num_gpu_blocks : int, optional
        With `points`: KV blocks of the engine, per rank.
    """

    out: Path | None = None
    plot: Path | None = None
    points: Path | None = None
    max_num_batched_tokens: int = 2048
    num_gpu_blocks: int | None = None

    def require_possible(self) -> None:
        """Refuse what cannot be written or read before anything is computed; raises InputError."""
        from experiments.calibration.residual_plot import SUFFIXES

        out, plot, points = self.out, self.plot, self.points
        if out is not None and out.suffix != ".toml":
            raise InputError(f"--out {out.name}: a hardware file ends in .toml")
        if plot is not None and plot.suffix not in SUFFIXES:
            raise InputError(f"--plot {plot.name}: a figure is a file ending in {', '.join(SUFFIXES)}")
        for option, path in (("--out", out), ("--plot", plot)):
            if path is not None and (path.is_dir() or not path.parent.is_dir()):
                raise InputError(f"{option} {path}: cannot be written; no such folder, or a folder itself")
        if points is not None and not points.is_file():
            raise InputError(f"--points {points}: no such file")

    def carry_out(self, order: Order) -> Outcome:
        """Calibrate, draw, accept or refuse, fit the overhead, write.

        Raises
        ------
        InputError
            When the files cannot be used, or the model is refused.
        """
        outcome = attempt(order)
        if self.plot is not None:
            _plot(outcome, self.plot)
        outcome = accepted(outcome, order)
        if self.points is not None:
            outcome = self._with_points(outcome, self.points, order)
        if self.out is not None:
            from experiments.calibration.entry import write_entry

            write_entry(self.out, outcome.entry())
        return outcome

    def _with_points(self, outcome: Outcome, points: Path, order: Order) -> Outcome:
        from experiments.calibration.points import calibrated_overhead
        from experiments.validation.settings import EngineSettings

        entry, ranks = outcome.hardware(), order.ranks
        settings = EngineSettings(
            entry.max_num_seqs // ranks,
            self.max_num_batched_tokens,
            self.num_gpu_blocks,
            entry.block_tokens,
            data_parallel=ranks,
            expert_parallel=ranks > 1,
        )
        return outcome.with_overhead(*calibrated_overhead(points, entry, outcome.wanted, settings), order)


def _plot(outcome: Outcome, path: Path) -> None:
    from experiments.calibration.errors import predicted_s
    from experiments.calibration.residual_plot import write_residual_plot
    from orsched.service import Lockstep

    service = outcome.found.service
    one = service.service if isinstance(service, Lockstep) else service
    title = f"{outcome.profile.group}: {type(one).__name__.lower()}"
    write_residual_plot(path, outcome.found.kept, predicted_s(one, outcome.found.kept), title)
