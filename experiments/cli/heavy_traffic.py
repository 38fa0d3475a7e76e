"""``orsched heavy-traffic``: how gap and delay of a policy scale with the horizon at fixed memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.catalogue import Hardware
    from orsched.policy import Policy
    from proofs_check.heavy_traffic import PromptType

Types = Annotated[
    list[str],
    typer.Option("--type", help="A type as RATE:PROMPT:DECODE (1/s, tokens, decode steps). Repeat it for several."),
]
Thresholds = Annotated[
    str | None,
    typer.Option(
        "--thresholds",
        help="WAIT only: one number per type, as 4,2; or critical (no slack), or slack. Default: critical.",
    ),
]
Horizon = Annotated[
    float | None, typer.Option("--horizon", help="Seconds at scale 1. Default: those of 256 arrivals on average.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Also write the table (.csv, .parquet) or a figure (.png, .svg).")
]

BALANCED_TOY = ["4:1:1"]
"""The paper's balanced toy, with `D0`, `D1` and `KV`: threshold 4, full iterations of one second, ``C = M* = 12``."""

D0, D1, KV = 0.88, 0.01, 12
SCALES = "1,4,16,64,256"


def heavy_traffic(
    types: Types = BALANCED_TOY,
    d0: Annotated[float, typer.Option("--d0", help="Seconds of an empty iteration.")] = D0,
    d1: Annotated[float, typer.Option("--d1", help="Seconds per KV token of the batch.")] = D1,
    kv: Annotated[int, typer.Option("--kv", help="KV tokens that fit.")] = KV,
    policy: Annotated[str, typer.Option("--policy", help="A name from `orsched list policies`.")] = "wait",
    thresholds: Thresholds = None,
    scales: Annotated[str, typer.Option("--scales", help="The scales, separated by commas.")] = SCALES,
    horizon: Horizon = None,
    replications: options.Replications = 20,
    seed: options.Seed = 0,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Scale rates up and iteration times down at fixed memory: throughput gap, delay, their log-log slopes."""
    from experiments.progress import progress_bar
    from experiments.render.files import require_writable
    from experiments.render.heavy_traffic import ENDINGS, Scaling, to_rich, write_scaling
    from proofs_check.heavy_traffic import linear_hardware, scaling_study

    if out is not None:
        require_writable(out, ENDINGS)
    kinds = [_type(text) for text in options.split_names(types)]
    hardware = linear_hardware(d0, d1, kv)
    chosen = _policy(policy, thresholds, kinds, hardware)
    multiples = options.split_numbers("--scales", [scales])
    if len(multiples) < 2:
        raise InputError("--scales needs at least two numbers: a slope is through points")
    with progress_bar(error_console(), "replications", replications) as advance:
        frame = scaling_study(
            kinds, hardware, chosen, multiples, replications, seed, horizon_s=horizon, progress=advance
        )
    settings = {} if isinstance(chosen, str) else dict(chosen.settings)
    said = f", thresholds {','.join(map(str, settings['thresholds']))}" if settings else ""
    title = (
        f"{policy}{said}: {', '.join(types)}; d0 {d0:g}, d1 {d1:g}, C {kv}; {replications} replications, seed {seed}"
    )
    found = Scaling(title, frame)
    if out is not None:
        write_scaling(found, out)
        error_console().out(f"wrote {out}", highlight=False)
    if as_json:
        about = {"policy": policy, "d0": d0, "d1": d1, "kv": kv, "replications": replications, "seed": seed}
        print_json({**about, "settings": settings, **found.to_json()})
    else:
        output_console().print(to_rich(found))


def _type(text: str) -> PromptType:
    from proofs_check.heavy_traffic import PromptType

    parts = text.split(":")
    try:
        rate, prompt, decode = float(parts[0]), int(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        parts = []
    if len(parts) != 3:
        raise InputError(f"--type {text!r}: must be rate (1/s), prompt tokens and decode steps, as in 4:1:1")
    return PromptType(rate, prompt, decode)


def _policy(name: str, thresholds: str | None, types: list[PromptType], hardware: Hardware) -> str | Policy:
    """WAIT as the paper has it, one threshold per type; any other policy by its name."""
    from proofs_check.heavy_traffic import critical_thresholds, slack_thresholds, wait_with

    if name != "wait":
        if thresholds is not None:
            raise InputError(f"--thresholds goes with --policy wait, not with {name!r}")
        return name
    if thresholds in (None, "critical"):
        per_type = critical_thresholds(types, hardware)
    elif thresholds == "slack":
        per_type = slack_thresholds(types, hardware)
    else:
        per_type = options.split_counts("--thresholds", thresholds or "")
    return wait_with(types, hardware, per_type)
