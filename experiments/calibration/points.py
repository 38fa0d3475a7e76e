"""End-to-end points as a second target: a request log, or TTFT and TPOT at a concurrency."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.calibration.calibrating import plus_overhead
from experiments.calibration.end_to_end import Overhead, overhead_of_log, solve
from experiments.calibration.request import Wanted, plain_model, same_gpu
from experiments.calibration.table_file import read_table
from experiments.validation.request_log import read_request_log
from experiments.validation.settings import EngineSettings
from experiments.validation.silicon_load import ClosedLoop
from experiments.validation.silicon_steady_state import steady_state
from orsched.catalogue import Hardware
from orsched.devices import find_model
from orsched.errors import InputError

_PRECISIONS: Mapping[float, tuple[str, ...]] = {2: ("bf16", "bfloat16", "fp16", "float16"), 1: ("fp8", "int8")}
_POINT_COLUMNS = ("gpu", "model", "input_tokens", "output_tokens", "concurrency", "tensor_parallel", "ttft_s", "tpot_s")


def calibrated_overhead(path: Path, entry: Hardware, wanted: Wanted, settings: EngineSettings) -> tuple[Overhead, str]:
    """Fit the overhead of an iteration to the points in a file, and say to what it was fitted.

    Raises
    ------
    InputError
        When the file is neither, or has no point of this group.
    """
    if path.suffix == ".jsonl" or "ttft_s" not in read_table(path).columns:
        if path.suffix != ".jsonl":
            _require_same(read_table(path), wanted, path.name)
        log = read_request_log(path)
        return overhead_of_log(log, entry, settings), f"the request log {path.name} ({len(log)} requests, replayed)"
    rows = silicon_points(read_table(path), wanted, path.name)
    precisions = (
        ", ".join(sorted(rows["precision"].astype(str).unique())) if "precision" in rows else "unknown precision"
    )
    what = (
        f"{len(rows)} end-to-end points in {path.name} ({precisions}; mean TPOT of a closed loop in its steady state)"
    )
    return overhead_of_points(rows, entry, settings.max_num_batched_tokens), what


def silicon_points(table: pd.DataFrame, wanted: Wanted, where: str) -> pd.DataFrame:
    """Return the points of the group: aggregated serving, each measurement once.

    Raises
    ------
    InputError
        When columns are missing, a number is impossible or no point is left.
    """
    missing = [name for name in _POINT_COLUMNS if name not in table.columns]
    if missing:
        raise InputError(f"{where}: no column {', '.join(missing)}; end-to-end points need {', '.join(_POINT_COLUMNS)}")
    keep = table["gpu"].map(lambda name: same_gpu(str(name), wanted.gpu))
    keep &= table["model"].map(plain_model).str.startswith(plain_model(wanted.model))
    keep &= pd.to_numeric(table["tensor_parallel"], errors="coerce") == wanted.tensor_parallel
    if "mode" in table.columns:
        keep &= table["mode"] == "agg"
    if "repeat_of_measurement" in table.columns:
        keep &= ~table["repeat_of_measurement"].astype(bool)
    rows = table[keep].reset_index(drop=True)
    if rows.empty:
        raise InputError(
            f"{where}: no point of {wanted.model} on {wanted.gpu}, tensor parallel {wanted.tensor_parallel}"
        )
    if "precision" in rows.columns:
        rows = _of_precision(rows, wanted, where)
    for name in ("input_tokens", "output_tokens", "concurrency", "ttft_s", "tpot_s"):
        values = pd.to_numeric(rows[name], errors="coerce")
        if not (np.isfinite(values) & (values > 0)).all():
            raise InputError(f"{where}: column {name} must hold numbers above zero")
    return rows


def _of_precision(rows: pd.DataFrame, wanted: Wanted, where: str) -> pd.DataFrame:
    """Points of weights as wide as those of the profile."""
    there = rows["precision"].astype(str)
    found = rows[there.str.lower().isin(_PRECISIONS.get(wanted.shape.dtype_bytes, ()))].reset_index(drop=True)
    if found.empty:
        raise InputError(
            f"{where}: points in {', '.join(sorted(there.unique()))}, but the profile is of weights of "
            f"{wanted.shape.dtype_bytes:g} bytes"
        )
    return found


def _require_same(log: pd.DataFrame, wanted: Wanted, where: str) -> None:
    """Refuse a log that names another GPU or model than the profile."""
    for name, mine, same in (("gpu", wanted.gpu, same_gpu), ("model", wanted.model, _same_model)):
        others = [] if name not in log else [one for one in log[name].astype(str).unique() if not same(one, mine)]
        if others:
            raise InputError(f"{where}: a log of {name} {others[0]!r}, but the profile is of {mine!r}")


def _same_model(one: str, other: str) -> bool:
    shape = find_model(one)
    return plain_model(one) == plain_model(other) or (shape is not None and shape is find_model(other))


def overhead_of_points(rows: pd.DataFrame, entry: Hardware, token_budget: int) -> Overhead:
    """Find the overhead at which the mean relative error of TPOT over the points is zero."""
    loops = [
        ClosedLoop(int(row.concurrency), float(row.input_tokens), float(row.output_tokens), _budget(row, token_budget))
        for row in rows.itertuples()
    ]
    measured = {"ttft": rows["ttft_s"].to_numpy(np.float64), "tpot": rows["tpot_s"].to_numpy(np.float64)}

    def errors(overhead_s: float) -> dict[str, float]:
        service = plus_overhead(entry.service, overhead_s)
        times = np.array([steady_state(loop, service) for loop in loops])
        return {name: float(np.mean(times[:, k] / measured[name] - 1)) for k, name in enumerate(("ttft", "tpot"))}

    return solve(errors)


def _budget(row: object, token_budget: int) -> int:
    return max(token_budget, int(row.concurrency) + 1)  # type: ignore[attr-defined]
