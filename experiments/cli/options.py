"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.orders.defaults import HARDWARE as HARDWARE
from experiments.orders.defaults import POLICIES as POLICIES
from experiments.orders.defaults import WORKLOAD as WORKLOAD

WorkloadName = Annotated[
    str,
    typer.Option("--workload", help="A name from `orsched list workloads`, or a CSV, Parquet or JSONL file."),
]
HardwareName = Annotated[str, typer.Option("--hardware", help="A name from `orsched list hardware`.")]
Requests = Annotated[int, typer.Option("--requests", help="Requests per replication.")]
Replications = Annotated[int, typer.Option("--replications", help="Sample paths; intervals need at least 2.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random stream.")]
Instances = Annotated[int, typer.Option("--instances", help="Identical instances in the fleet.")]
RouterName = Annotated[
    str | None, typer.Option("--router", help="Router of a fleet of several instances. Default: jsq.")
]
PredictorName = Annotated[
    str | None,
    typer.Option("--predictor", help="Predicted output lengths for every policy that uses lengths, as noise:0.5."),
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes. Default: as many cores as pay off.")]
SloTtft = Annotated[float | None, typer.Option("--slo-ttft", help="SLO: time to first token, seconds.")]
SloTpot = Annotated[float | None, typer.Option("--slo-tpot", help="SLO: time per output token, seconds.")]
WarmUpRule = Annotated[
    str,
    typer.Option("--warm-up", help="Rule for arrivals left out of the metrics: none, mser-5 or fixed-<percent>%."),
]
Thresholds = Annotated[
    str | None, typer.Option("--thresholds", help="WAIT only: prompts per stage of each class, for example 7,7.")
]
StageIterations = Annotated[
    int, typer.Option("--stage-iterations", help="With --thresholds: iterations per stage; 1 is WAIT as published.")
]
DropOversized = Annotated[
    bool, typer.Option("--drop-oversized", help="Leave out requests larger than the KV memory instead of refusing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object.")]
