"""``orsched fleet`` as calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.notebook import frames_html
from experiments.orders.arguments import taken
from experiments.orders.values import require_counts

if TYPE_CHECKING:
    import pandas as pd

    from experiments.fleet.spec import FleetExperiment


class FleetFrames(NamedTuple):
    """Policies on a fleet.

    Parameters
    ----------
    metrics : pandas.DataFrame
        One row per policy, tier and metric: policy, tier (empty: the whole fleet), metric, unit, mean, half_width
        (95%), n (paths), versus (where it names a policy: the difference to it, path by path); the facts of the run,
        the bound on goodput and the notices in ``attrs``.
    policies : pandas.DataFrame
        One row per policy: policy, system, information, settings; over_bound and sustained_over_bound (goodput and
        largest sustained rate over their bounds, with half_width and n); sustained_between_low and _high (1/s).
    groups : pandas.DataFrame
        One row per group of instances: hardware, size, role, tier, off, start_up_s, link_bytes_per_s (missing
        where sending takes no time but the latency), link_latency_s.
    tiers : pandas.DataFrame
        One row per tier: name, ttft_s, tpot_s.
    """

    metrics: pd.DataFrame
    policies: pd.DataFrame
    groups: pd.DataFrame
    tiers: pd.DataFrame

    def _repr_html_(self) -> str:
        return frames_html(self._asdict())


@taken
def fleet(
    spec: str | Path | FleetExperiment | None = None,
    *,
    name: str | None = None,
    replications: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
) -> FleetFrames:
    """Run a fleet experiment: groups, links, tiers, policies and faults from a specification file.

    Parameters
    ----------
    spec : str, Path or FleetExperiment, optional
        A specification (``.toml``; see docs/fleets.md), or an experiment built already.
    name : str, optional
        A ready specification instead; `experiments.frames.fleet_list` shows them.
    replications, seed : int, optional
        In place of the specification's; not with an experiment built already.
    workers : int, optional
        Processes; None: the specification's, or as many as pay off.

    Returns
    -------
    FleetFrames
        Metrics, policies, groups and tiers.

    Raises
    ------
    InputError
        As ``orsched fleet`` for the same options.
    """
    from experiments.fleet.asked import asked_experiment, named, specification_name
    from experiments.fleet.report import document
    from experiments.fleet.run import run_fleet
    from experiments.fleet.summary import summarise

    require_counts(replications=replications, workers=workers)
    require_counts(0, seed=seed)
    experiment = asked_experiment(spec, name, replications, seed, workers)
    with named(specification_name(spec, name)):
        summary = summarise(run_fleet(experiment))
    import pandas as pd

    found = document(summary)
    tables = {part: found.pop(part) for part in ("policies", "groups", "tiers")}
    metrics = summary.frame()
    metrics.attrs.update(found)
    return FleetFrames(
        metrics,
        _policies(tables["policies"]),
        pd.json_normalize(tables["groups"], sep="_").astype({"link_bytes_per_s": "float64"}),
        pd.DataFrame(tables["tiers"], columns=["name", "ttft_s", "tpot_s"]),
    )


@taken
def fleet_list() -> pd.DataFrame:
    """List the ready specifications and the fleet systems, as ``orsched fleet --list``.

    Returns
    -------
    pandas.DataFrame
        One row per name: kind (``specifications`` or ``systems``), name, description.
    """
    import pandas as pd

    from experiments.fleet.asked import listed

    return pd.DataFrame([{"kind": kind, **row} for kind, rows in listed().items() for row in rows])


def _policies(rows: list[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    records = []
    for row in rows:
        record = {key: row[key] for key in ("policy", "system", "information", "settings")}
        for key in ("over_bound", "sustained_over_bound"):
            found = row[key] or {"mean": None, "half_width": None, "n": None}
            assert isinstance(found, dict)
            record |= {key: found["mean"], f"{key}_half_width": found["half_width"], f"{key}_n": found["n"]}
        between = row["sustained_between"] or [None, None]
        assert isinstance(between, list)
        record |= {"sustained_between_low": between[0], "sustained_between_high": between[1]}
        records.append(record)
    numbers = [column for column in records[0] if column.startswith(("over_", "sustained_")) and column[-2:] != "_n"]
    counts = [column for column in records[0] if column.endswith("_n")]
    return pd.DataFrame(records).astype({**dict.fromkeys(numbers, "float64"), **dict.fromkeys(counts, "Int64")})
