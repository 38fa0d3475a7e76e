"""How much an iteration computes and moves."""

from __future__ import annotations

from collections.abc import Sequence

from orsched.service.model import Batch
from orsched.service.roofline.expert_time import covered
from orsched.service.roofline.work import VARIABLES, ExpertWork, Form, Work


def flops_and_bytes(work: Sequence[Work], experts: ExpertWork | None, batch: Batch) -> tuple[float, float]:
    """Return FLOPs and bytes of an iteration on each chip of the group."""
    prompt, attention, past, seqs, kv, _ = batch
    tokens = prompt + seqs
    variables: dict[str, tuple[float, ...]] = {
        "tokens": (tokens,),
        "sequences": (seqs + (1 if prompt else 0),),
        "decodes": (seqs, kv),
        "chunks": (prompt, attention, past),
    }
    flops = moved = 0.0
    for one in work:
        x = variables[one.drives]
        flops += one.count * _value(one.flops, x)
        moved += one.count * (_value(one.stream_bytes, x) + _value(one.activation_bytes, x))
    if experts is not None:
        hit = covered(experts.experts, experts.active, tokens)
        flops += experts.count * experts.token_flops * tokens
        moved += experts.count * (hit * experts.expert_bytes + experts.shared_bytes + experts.token_bytes * tokens)
    return flops, moved


def added_up(work: Sequence[Work]) -> tuple[Work, ...]:
    """One operator for each set of variables, that computes and moves what all of `work` do: faster to evaluate."""
    return tuple(
        Work("all", "", drives, 1, *(_total(work, drives, amount) for amount in _AMOUNTS)) for drives in VARIABLES
    )


_AMOUNTS = ("flops", "stream_bytes", "activation_bytes")


def _total(work: Sequence[Work], drives: str, amount: str) -> Form:
    forms = [tuple(one.count * c for c in getattr(one, amount)) for one in work if one.drives == drives]
    return tuple(map(sum, zip((0.0,) * (1 + len(VARIABLES[drives])), *forms, strict=True)))


def _value(form: Form, x: tuple[float, ...]) -> float:
    return form[0] + sum(c * v for c, v in zip(form[1:], x, strict=True))
