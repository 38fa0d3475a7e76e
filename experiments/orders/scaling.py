"""What ``orsched heavy-traffic`` is asked for, and its study."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from experiments.orders.values import Numbers, counts_of, name_of, names_of, numbers_of
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.render.heavy_traffic import Scaling
    from orsched.catalogue import Hardware
    from orsched.policy import Policy
    from proofs_check.heavy_traffic import PromptType

BALANCED_TOY = ("4:1:1",)
"""The paper's balanced toy, with `D0`, `D1` and `KV`: threshold 4, full iterations of one second, ``C = M* = 12``."""

D0, D1, KV = 0.88, 0.01, 12
SCALES = "1,4,16,64,256"


def scaling_order(
    types: str | PromptType | Iterable[str | PromptType],
    *,
    d0: float,
    d1: float,
    kv: int,
    policy: str | Policy,
    thresholds: Numbers | None,
    scales: Numbers,
    horizon: float | None,
    replications: int,
    seed: int,
    on_path_done: Callable[[], None] = lambda: None,
) -> Scaling:
    """Scale a system up as the options of ``orsched heavy-traffic`` say.

    Raises
    ------
    InputError
        For what is no type, no number or no threshold, fewer than two scales, and as for
        `proofs_check.heavy_traffic.scaling_study`.
    """
    from experiments.render.heavy_traffic import Scaling
    from proofs_check.heavy_traffic import linear_hardware, scaling_study

    given = list(types) if isinstance(types, Iterable) and not isinstance(types, str) else [types]
    kinds = [kind for one in given for kind in (_types(one) if isinstance(one, str) else [one])]
    hardware = linear_hardware(d0, d1, kv)
    chosen = _policy(policy, thresholds, kinds, hardware)
    multiples = numbers_of("--scales", scales)
    if len(multiples) < 2:
        raise InputError("--scales needs at least two numbers: a slope is through points")
    frame = scaling_study(
        kinds, hardware, chosen, multiples, replications, seed, horizon_s=horizon, progress=on_path_done
    )
    name = name_of(policy)
    settings = {} if isinstance(chosen, str) else dict(chosen.settings)
    said = f", thresholds {','.join(map(str, settings['thresholds']))}" if "thresholds" in settings else ""
    shown = ", ".join(one if isinstance(one, str) else _text(one) for one in given)
    title = f"{name}{said}: {shown}; d0 {d0:g}, d1 {d1:g}, C {kv}; {replications} replications, seed {seed}"
    about = {"policy": name, "d0": d0, "d1": d1, "kv": kv, "replications": replications, "seed": seed}
    return Scaling(title, frame, {**about, "settings": settings})


def _types(text: str) -> list[PromptType]:
    return [_type(name) for name in names_of(text)]


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


def _text(kind: PromptType) -> str:
    return f"{kind.rate_per_s:g}:{kind.prompt_tokens}:{kind.decode_steps}"


def _policy(
    policy: str | Policy, thresholds: Numbers | None, types: list[PromptType], hardware: Hardware
) -> str | Policy:
    """WAIT as the paper has it, one threshold per type; any other policy as it is."""
    from proofs_check.heavy_traffic import critical_thresholds, slack_thresholds, wait_with

    if policy != "wait":
        if thresholds is not None:
            raise InputError(f"--thresholds goes with --policy wait, not with {name_of(policy)!r}")
        return policy
    if thresholds is None or thresholds == "critical":
        per_type = critical_thresholds(types, hardware)
    elif thresholds == "slack":
        per_type = slack_thresholds(types, hardware)
    else:
        per_type = counts_of("--thresholds", thresholds)
    return wait_with(types, hardware, per_type)
