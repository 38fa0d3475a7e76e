"""Measured vLLM runs beside their simulation: everything that is reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.notebook import frames_html
from experiments.validation.alternatives import alternatives
from experiments.validation.comparison import TARGETS, Comparison, compare
from experiments.validation.curves import Curves, Seconds, curves
from experiments.validation.replay import replay
from experiments.validation.request_log import RequestLog
from experiments.validation.runs import BundledRun
from experiments.validation.settings import EngineSettings
from orsched.catalogue import Hardware, hardware
from orsched.errors import InputError
from orsched.service import Lockstep

if TYPE_CHECKING:
    import pandas as pd

FAR = 30.0
"""Measured and simulated means that differ by more than this factor are not the same thing: hardly the same unit."""

NOTES = (
    "times count from the moment the engine queued a request; error = simulated / measured - 1",
    "95%: over resamples of the requests in blocks, from 200 on; one run cannot say how much the server would "
    "differ from itself",
    "targets are on means; published: the errors that LLMServingSim prints for the bundled runs",
)
"""How to read the numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """One measured run and its simulation.

    Parameters
    ----------
    name, server : str
        Which run.
    entry : Hardware
        The catalogue entry, before the settings.
    settings : EngineSettings
        Of the engine.
    comparisons : tuple of Comparison
        Of the metrics.
    curves : Curves
        Over time.
    requests, preemptions, iterations : int
        Requests; simulated preemptions and iterations.
    warnings : tuple of str
        Where the simulation left what its model has seen; what could not be compared, or hardly is comparable.
    calibrated : str
        Which constants were fitted to what; empty when unknown.
    published : mapping of str to float
        Errors that others report for this run.
    others : mapping of str to mapping
        Errors by metric under other assumptions, if asked for.
    """

    name: str
    server: str
    entry: Hardware
    settings: EngineSettings
    comparisons: tuple[Comparison, ...]
    curves: Curves
    requests: int
    preemptions: int
    iterations: int
    warnings: tuple[str, ...]
    calibrated: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {
            "run": self.name,
            "server": self.server,
            "hardware": self.entry.name,
            "hardware_kind": self.entry.kind,
            "settings": asdict(self.settings),
            "requests": self.requests,
            "simulated_preemptions": self.preemptions,
            "simulated_iterations": self.iterations,
            "calibrated": self.calibrated or None,
            "metrics": dict.fromkeys(TARGETS)
            | {c.metric: {**c.to_json(), "published_error": self.published.get(c.metric)} for c in self.comparisons},
            "curves": self.curves.to_json(),
            "other_assumptions": {name: dict(errors) for name, errors in self.others.items()},
            "warnings": list(self.warnings),
        }

    def frame(self) -> pd.DataFrame:
        """One row per metric, on its mean over the requests; see `experiments.validation.report.verdicts_frame`."""
        from experiments.validation.report import verdicts_frame

        return verdicts_frame([self])

    def _repr_html_(self) -> str:
        return frames_html({f"{self.name} on {self.entry.name}": self.frame()})


def validate_run(run: BundledRun, *, with_others: bool = False) -> Validation:
    """Replay a bundled run on its hardware entry."""
    entry = hardware(run.hardware)
    described = {"server": run.server, "calibrated": run.calibrated, "published": run.published}
    return validate(run.log(), entry, run.settings, run.seconds(), with_others=with_others, **described)


def validate(
    log: RequestLog,
    entry: Hardware,
    settings: EngineSettings,
    seconds: Seconds | None = None,
    *,
    with_others: bool = False,
    **described: Any,
) -> Validation:
    """Replay a log on a hardware entry and compare.

    Parameters
    ----------
    log : RequestLog
        What was measured.
    entry : Hardware
        What stands for the server.
    settings : EngineSettings
        How it was started.
    seconds : Seconds, optional
        What it reported over time.
    with_others : bool
        Also replay under other assumptions about the engine.
    **described
        ``server``, ``calibrated``, ``published`` of `Validation`.

    Raises
    ------
    InputError
        When `entry` stands for another number of ranks than the settings say, or a request exceeds the KV memory.
    """
    _require_ranks(entry, settings)
    found = replay(log, entry, settings)
    comparisons = compare(found)
    others = {a.name: a.errors(log) for a in alternatives(settings, entry)} if with_others else {}
    return Validation(
        name=log.name,
        entry=entry,
        settings=settings,
        comparisons=comparisons,
        curves=curves(found, seconds),
        requests=len(log),
        preemptions=int(found.run.preemptions.sum()),
        iterations=int(found.run.iterations.sum()),
        warnings=(*found.beyond, *_doubts(comparisons)),
        others=others,
        **{"server": "", **described},
    )


def _doubts(comparisons: tuple[Comparison, ...]) -> tuple[str, ...]:
    """Say which metrics cannot be compared, and which are too far apart for a comparison to mean anything."""
    compared = {comparison.metric: comparison for comparison in comparisons}
    found = []
    for metric in TARGETS:
        if metric not in compared:
            found.append(f"{metric} is not compared: no request has one, or the measured mean is 0")
            continue
        measured, simulated = compared[metric].statistics["mean"]
        if not 1 / FAR <= simulated / measured <= FAR:
            found.append(
                f"{metric}: the measured mean is {measured:,.4g} s, the simulated one {simulated:,.4g} s: is the log "
                "in seconds, and are hardware and settings those of the server?"
            )
    return tuple(found)


def document(validations: list[Validation]) -> dict[str, Any]:
    """The object that ``--json`` prints."""
    verdicts = [comparison.met for validation in validations for comparison in validation.comparisons]
    return {
        "targets": dict(TARGETS),
        "targets_met": sum(verdicts),
        "targets_in_all": len(verdicts),
        "runs": [validation.to_json() for validation in validations],
        "notes": list(NOTES),
    }


def _require_ranks(entry: Hardware, settings: EngineSettings) -> None:
    """Refuse an entry for ranks in lockstep with settings for another server, and the other way round."""
    ranks = entry.service.ranks if isinstance(entry.service, Lockstep) else 1
    if ranks != settings.pooled:
        raise InputError(
            f"{entry.name} stands for {ranks} rank(s) that iterate together, the settings for {settings.pooled}: "
            + (f"give --data-parallel {ranks} --expert-parallel" if ranks > 1 else "drop --expert-parallel")
        )
