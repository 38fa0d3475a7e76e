"""The measured vLLM runs that come with the package (sources: ``orsched/data/validation/README.md``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

from experiments.validation.curves import Seconds
from experiments.validation.request_log import RequestLog, read_request_log
from experiments.validation.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class BundledRun:
    """One measured run.

    Parameters
    ----------
    name : str
        File name of its data.
    server : str
        Engine, GPU and model, in words.
    hardware : str
        Name of the catalogue entry that stands for it.
    settings : EngineSettings
        How the server was started, as far as it was recorded.
    published : mapping of str to float
        Relative error of the mean, by metric, of the best published simulator on this very run.
    calibrated : str
        Which constants and choices of its hardware entry came from where, in words.
    """

    name: str
    server: str
    hardware: str
    settings: EngineSettings
    published: Mapping[str, float]
    calibrated: str

    def log(self) -> RequestLog:
        """Its requests."""
        with resources.as_file(_folder() / f"{self.name}.requests.parquet") as path:
            return read_request_log(path, name=self.name)

    def seconds(self) -> Seconds:
        """What the engine reported every second."""
        import pandas as pd

        with resources.as_file(_folder() / f"{self.name}.seconds.parquet") as path:
            frame = pd.read_parquet(path)
        columns = {name: np.asarray(frame[name], dtype=float) for name in frame}
        percent = columns.get("kv_cache_percent")
        share = None if percent is None else percent / 100
        return Seconds(columns["t_s"], columns["running"], columns["waiting"], share)


def bundled_runs() -> tuple[BundledRun, ...]:
    """All measured runs."""
    table = tomllib.loads((_folder() / "runs.toml").read_text(encoding="utf-8"))
    return tuple(_run(row) for row in table["run"])


def _run(row: dict[str, Any]) -> BundledRun:
    about = {key: row.pop(key) for key in ("name", "server", "hardware", "published", "calibrated")}
    return BundledRun(settings=EngineSettings(**row), **about)


def _folder() -> Traversable:
    return resources.files("orsched") / "data" / "validation"
