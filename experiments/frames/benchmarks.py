"""``orsched bench`` as calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from experiments.orders.arguments import taken
from experiments.orders.values import names_of, require_counts

if TYPE_CHECKING:
    import pandas as pd


@taken
def bench_engine(*, requests: int = 100_000, full: bool = False, record: bool = True) -> pd.DataFrame:
    """Measure simulated requests per second on one core, beside bare SimPy timeouts in the same process.

    Parameters
    ----------
    requests : int
        Per simulation, at least 1000.
    full : bool
        Also 1,000,000 requests: linearity and peak memory.
    record : bool
        Keep this run to compare the next one with.

    Returns
    -------
    pandas.DataFrame
        One row per case: case, requests_per_s, timeouts_per_request (SimPy timeouts in the time of a request);
        simpy_timeouts_per_s, time_ratio_10x, scaling_exponent, with `full` million_peak_mib, and ``previous``, the
        numbers of the previous run of this size or None, in ``attrs``.
    """
    import pandas as pd

    from experiments.bench import engine

    require_counts(1_000, requests=requests)
    found = _recorded("bench-engine", requests, record, lambda: engine.bench_engine(requests, full=full))
    columns = ("requests_per_s", "timeouts_per_request")
    cases = [key.removesuffix("_requests_per_s") for key in found if key.endswith("_requests_per_s")]
    rows = [{"case": case, **{name: found.pop(f"{case}_{name}") for name in columns}} for case in cases]
    frame = pd.DataFrame(rows)
    frame.attrs.update(found)
    return frame


@taken
def bench_service(*, requests: int = 20_000) -> pd.DataFrame:
    """Measure each form of service model, and the engine on a device of each.

    Parameters
    ----------
    requests : int
        Per simulation, at least 1000.

    Returns
    -------
    pandas.DataFrame
        One row per entry of the catalogue: name, form, mixed_us, decode_us and curve_us (microseconds per call),
        requests_per_s, timeouts_per_request; simpy_timeouts_per_s in ``attrs``.
    """
    from experiments.bench import service

    require_counts(1_000, requests=requests)
    return _frame(service.bench_service(requests), "entries")


@taken
def bench_fleet(
    *,
    requests: int = 20_000,
    router: str | Iterable[str] | None = None,
    instances: int | Iterable[int] | None = None,
    full: bool = False,
) -> pd.DataFrame:
    """Measure simulated requests per second of fleets by size and router.

    Parameters
    ----------
    requests : int
        Per simulation, at least 1000.
    router : str or several, optional
        Routers or fleet systems; by default all routers, and PolyServe.
    instances : int or several, optional
        Sizes of fleets, 1 to 10,000; by default 1, 8, 64, 256 and 1000.
    full : bool
        Also 1,000,000 requests on 1,000 instances: time and peak memory.

    Returns
    -------
    pandas.DataFrame
        One row per router and size: router, instances, requests_per_s, timeouts_per_request; simpy_timeouts_per_s, and
        with `full` ``million``, in ``attrs``.
    """
    from experiments.bench import fleet

    require_counts(1_000, requests=requests)
    sizes = [instances] if isinstance(instances, int) else list(instances or fleet.SIZES)
    for size in sizes:
        require_counts(1, 10_000, instances=size)
    return _frame(fleet.bench_fleet(requests, names_of(router or ()), sizes, full=full), "cases")


@taken
def bench_bounds(*, requests: int = 100_000, modes: int = 10_000, record: bool = True) -> pd.DataFrame:
    """Measure wall time and peak memory of the bounds, each in a process of its own, beside their targets.

    Parameters
    ----------
    requests : int
        Requests on the path, at least 2.
    modes : int
        Modes of the mode LP, at least 1000.
    record : bool
        Keep this run to compare the next one with.

    Returns
    -------
    pandas.DataFrame
        One row per case: name, size, counts, wall_s and cpu_s (seconds), peak_mib, simpy_timeouts, target_s,
        target_peak_mib, met (missing away from the size of the target); simpy_timeouts_per_s and ``previous`` in
        ``attrs``.
    """
    from experiments.bench import bounds

    require_counts(2, requests=requests)
    require_counts(1_000, modes=modes)
    found = _recorded("bench-bounds", requests, record, lambda: bounds.bench_bounds(requests, modes))
    return _frame(found, "cases").astype({"target_s": "float64", "target_peak_mib": "float64", "met": "boolean"})


def _recorded(name: str, requests: int, record: bool, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `measure` finds, with ``previous`` and ``notices``."""
    from experiments.bench.history import recorded

    run = recorded(name, requests, record, measure)
    return {**run.found, "previous": run.previous, "notices": [run.note] if run.note else []}


def _frame(found: dict[str, Any], rows: str) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(found[rows])
    frame.attrs.update((key, value) for key, value in found.items() if key != rows)
    return frame
