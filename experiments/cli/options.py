"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.fleet import Fleet
    from orsched.request import SLO

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

WORKLOAD = "azure-conv"
HARDWARE = "llama2-7b/a100-80g"
POLICIES = ("vllm-v0", "vllm-v1", "sarathi", "orca", "sjf", "wait")


def fleet_of(hardware_name: str, instances: int) -> Fleet:
    """`instances` of a catalogue entry."""
    from orsched.catalogue import hardware
    from orsched.fleet import Fleet

    return Fleet.identical(hardware(hardware_name), instances)


def slo_of(ttft_s: float | None, tpot_s: float | None) -> SLO | None:
    """An objective from two options that come together or not at all."""
    from orsched.request import SLO

    if ttft_s is None and tpot_s is None:
        return None
    if ttft_s is None or tpot_s is None:
        raise InputError("an SLO needs both --slo-ttft and --slo-tpot")
    return SLO(ttft_s, tpot_s)


def split_names(values: Sequence[str]) -> tuple[str, ...]:
    """Names of a repeatable option, each value a comma-separated list."""
    return tuple(name for value in values for name in (part.strip() for part in value.split(",")) if name)


def split_counts(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers of an option, separated by commas."""
    numbers = split_numbers(option, [text])
    for number in numbers:
        if not number.is_integer():
            raise InputError(f"{option} {number:g}: must be a whole number")
    return tuple(int(number) for number in numbers)


def split_numbers(option: str, values: Sequence[str]) -> tuple[float, ...]:
    """Numbers of a repeatable option, each value a comma-separated list."""
    numbers = []
    for text in split_names(values):
        try:
            numbers.append(float(text))
        except ValueError:
            raise InputError(f"{option} {text!r}: not a number") from None
    return tuple(numbers)
