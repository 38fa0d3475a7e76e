"""What an operator does: FLOPs and bytes as affine functions of what is in the batch."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.devices import ModelConfig

Form = tuple[float, ...]
"""``(constant, one coefficient for each variable)``."""

VARIABLES = {
    "tokens": ("T",),
    "sequences": ("S",),
    "decodes": ("B", "K"),
    "chunks": ("P", "A", "past"),
}
"""What drives an operator, and its variables: ``T = P + B`` tokens, ``S`` sequences that produce an output."""


@dataclass(frozen=True, slots=True)
class Work:
    """An operator on one chip of the group; it runs `count` times per iteration.

    Parameters
    ----------
    name : str
        What it is.
    group : str
        ``projections`` (products with weights), ``prefill``, ``decode`` (attention) or ``vector`` (everything else).
    drives : str
        A key of `VARIABLES`.
    count : int
        Times per iteration.
    flops, stream_bytes, activation_bytes : tuple of float
        FLOPs, bytes of weights or KV cache, and bytes of activations of one run (`Form`).
    """

    name: str
    group: str
    drives: str
    count: int
    flops: Form
    stream_bytes: Form
    activation_bytes: Form


@dataclass(frozen=True, slots=True)
class ExpertWork:
    """The routed and shared experts of a layer on one chip; runs `count` times per iteration.

    Parameters
    ----------
    count : int
        Layers with experts.
    experts, active : int
        Routed experts, and how many of them a token visits.
    token_flops, token_bytes : float
        FLOPs and bytes of activations per token.
    expert_bytes, shared_bytes : float
        Bytes of one routed expert's weights, and of all shared ones.
    """

    count: int
    experts: int
    active: int
    token_flops: float
    token_bytes: float
    expert_bytes: float
    shared_bytes: float


ACTIVATION_BYTES = 2.0
"""Bytes of an activation (16 bit)."""


def transformer_work(model: ModelConfig, gpus: int) -> tuple[tuple[Work, ...], ExpertWork | None]:
    """List the operators of an iteration of `model` on each of `gpus` that share it by tensor parallelism.

    Heads and inner widths are divided; norms, routers, and projections to a latent vector, run on every chip. Where
    there are fewer KV heads than chips they are copied.

    Raises
    ------
    InputError
        When `gpus` is not one of `ModelConfig.group_sizes`.
    """
    model.require_group(gpus)
    attention = _attention(model, gpus)
    dense = _dense_network(model, gpus, model.layers - model.expert_layers)
    ends = _ends(model, gpus)
    if not model.expert_layers:
        return attention + dense + ends, None
    router = _product("router", model.expert_layers, model, model.hidden * model.experts, model.hidden, model.experts)
    visits = model.active_experts + model.shared_experts
    inner = model.ffn_matrices * model.expert_ffn / gpus
    share = model.expert_params / gpus
    experts = ExpertWork(
        count=model.expert_layers,
        experts=model.experts,
        active=model.active_experts,
        token_flops=2.0 * visits * share,
        token_bytes=ACTIVATION_BYTES * visits * (2 * model.hidden + inner),
        expert_bytes=share * model.dtype_bytes,
        shared_bytes=model.shared_experts * share * model.dtype_bytes,
    )
    return (*attention, *dense, router, *ends), experts


def _product(
    name: str, count: int, model: ModelConfig, params: float, width_in: float, width_out: float, drives: str = "tokens"
) -> Work:
    activations = ACTIVATION_BYTES * (width_in + width_out)
    return Work(
        name, "projections", drives, count, (0.0, 2.0 * params), (params * model.dtype_bytes, 0.0), (0.0, activations)
    )


def _vector(name: str, count: int, numbers_per_token: float) -> Work:
    return Work(name, "vector", "tokens", count, (0.0, 0.0), (0.0, 0.0), (0.0, ACTIVATION_BYTES * numbers_per_token))


def _attention(model: ModelConfig, gpus: int) -> tuple[Work, ...]:
    layers, heads = model.layers, model.q_heads / gpus
    if model.latent is None:
        query, cached = heads * model.head_dim, 2.0 * model.kv_heads_on(gpus) * model.head_dim
        expand = 0.0
        value, project = query, model.hidden * (query + cached)
    else:
        latent = model.latent
        query, cached = heads * (latent.nope_dim + latent.rope_dim), float(latent.cached)
        value = heads * latent.value_dim
        expand = latent.expansion_flops(model.q_heads) / gpus
        shared = latent.shared_projections(model.hidden)
        own = latent.query_rank * query + latent.kv_rank * heads * (latent.nope_dim + latent.value_dim)
        project = shared + own
    cached_bytes = cached * model.kv_dtype_bytes
    around = ACTIVATION_BYTES * (query + value)
    return (
        _product("qkv", layers, model, project, model.hidden, query + cached),
        _vector("rotary and cache write", layers, 2.0 * (query + cached)),
        Work(
            name="attention of chunks",
            group="prefill",
            drives="chunks",
            count=layers,
            flops=(0.0, 0.0, model.prefill_pair_flops / gpus, expand),
            stream_bytes=(0.0, cached_bytes, 0.0, cached_bytes),
            activation_bytes=(0.0, around, 0.0, 0.0),
        ),
        Work(
            name="attention of decodes",
            group="decode",
            drives="decodes",
            count=layers,
            flops=(0.0, 0.0, model.decode_pair_flops / gpus),
            stream_bytes=(0.0, 0.0, cached_bytes),
            activation_bytes=(0.0, around, 0.0),
        ),
        _product("o", layers, model, value * model.hidden, value, model.hidden),
    )


def _dense_network(model: ModelConfig, gpus: int, layers: int) -> tuple[Work, ...]:
    if layers == 0:
        return ()
    inner = model.ffn / gpus
    up = (model.ffn_matrices - 1) * inner
    return (
        _product("up", layers, model, model.hidden * up, model.hidden, up),
        _vector("activation", layers, up + inner),
        _product("down", layers, model, model.hidden * inner, inner, model.hidden),
    )


def _ends(model: ModelConfig, gpus: int) -> tuple[Work, ...]:
    head = model.head_params / gpus
    return (
        _vector("norms", 2 * model.layers, 4.0 * model.hidden),
        _vector("embedding", 1, 2.0 * model.hidden),
        _vector("final norm", 1, 4.0 * model.hidden),
        _product("head", 1, model, head, model.hidden, model.vocab / gpus, drives="sequences"),
    )
