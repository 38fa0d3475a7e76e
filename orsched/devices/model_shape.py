"""The shape of a language model: what its operators and its KV memory follow from."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.checks import check_number, check_whole, has_control, shown
from orsched.devices.latent_attention import LatentAttention
from orsched.errors import InputError

_LEAST_BYTES = 0.125
"""One bit."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Shape of a decoder-only transformer. Norms, biases and position tables are left out of all counts.

    Parameters
    ----------
    name : str
        Its name in the catalogue, for example ``"llama3-8b"``.
    layers, hidden : int
        Layers, and the width between them (``h``).
    q_heads, kv_heads, head_dim : int
        Query heads, key/value heads and their size (``nq``, ``nkv``, ``dh``). ``nq dh`` need not be ``h`` (Qwen3-32B).
    ffn : int
        Inner width of a dense feed-forward network; 0 if every layer has experts.
    vocab : int
        Vocabulary.
    gated : bool
        Whether a feed-forward network has three matrices (SwiGLU) or two (OPT, BLOOM, phi-2).
    tied_embeddings : bool
        Whether embedding and output head are one matrix.
    experts, active_experts : int
        Routed experts of a layer, and how many of them a token visits; 0 for a dense model.
    expert_ffn : int
        Inner width of one expert, routed or shared.
    shared_experts : int
        Experts that every token visits.
    dense_layers : int
        Layers of a mixture-of-experts model whose network is dense, of width `ffn`.
    latent : LatentAttention, optional
        Multi-head latent attention in place of grouped-query attention.
    dtype_bytes : float
        Bytes of a weight (2: bfloat16).
    kv_dtype_bytes : float
        Bytes of a cached number.
    positions : int, optional
        Most tokens of a request, prompt and output, that the model was made for, where that is known.
    source, confidence : str
        Where the shape comes from, and ``code`` (read in a public repository) or ``unconfirmed`` (common knowledge).
    notes : str
        What to know before using it.
    """

    name: str
    layers: int
    hidden: int
    q_heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    gated: bool = True
    tied_embeddings: bool = False
    experts: int = 0
    active_experts: int = 0
    expert_ffn: int = 0
    shared_experts: int = 0
    dense_layers: int = 0
    latent: LatentAttention | None = None
    dtype_bytes: float = 2.0
    kv_dtype_bytes: float = 2.0
    positions: int | None = None
    source: str = ""
    confidence: str = "unconfirmed"
    notes: str = ""

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "q_heads", "kv_heads", "head_dim", "vocab"):
            check_whole(self, field)
        for field in ("ffn", "experts", "active_experts", "expert_ffn", "shared_experts", "dense_layers"):
            check_whole(self, field, least=0)
        for field in ("dtype_bytes", "kv_dtype_bytes"):
            check_number(self, field, least=_LEAST_BYTES, most=8.0)
        if self.positions is not None:
            check_whole(self, "positions")
        if not self.name or has_control(self.name):
            raise InputError(f"ModelConfig.name = {shown(self.name)}: must be a name without control characters")
        if self.q_heads % self.kv_heads:
            raise InputError(f"ModelConfig.kv_heads = {self.kv_heads}: must divide the {self.q_heads} query heads")
        if self.experts == 0 and (self.active_experts or self.shared_experts or self.expert_ffn or self.dense_layers):
            raise InputError("ModelConfig.experts = 0: a dense model has no active, shared or dense-layer counts")
        if self.experts and not (1 <= self.active_experts <= self.experts and self.expert_ffn):
            raise InputError(
                f"ModelConfig.active_experts = {self.active_experts}: must be from 1 to the {self.experts} experts, "
                "and expert_ffn >= 1"
            )
        if self.dense_layers > self.layers:
            raise InputError(f"ModelConfig.dense_layers = {self.dense_layers}: there are {self.layers} layers")
        if (self.experts == 0 or self.dense_layers) and self.ffn == 0:
            raise InputError("ModelConfig.ffn = 0: the dense layers need a width >= 1")

    @property
    def expert_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def ffn_matrices(self) -> int:
        """Matrices of a feed-forward network: 3 with a gate, else 2."""
        return 3 if self.gated else 2

    @property
    def attention_params(self) -> int:
        """Parameters of the attention projections of a layer: ``2 h (nq + nkv) dh``, or those of `latent`."""
        if self.latent is not None:
            return self.latent.projections(self.hidden, self.q_heads)
        return 2 * self.hidden * (self.q_heads + self.kv_heads) * self.head_dim

    @property
    def dense_ffn_params(self) -> int:
        """Parameters of a dense feed-forward network."""
        return self.ffn_matrices * self.hidden * self.ffn

    @property
    def expert_params(self) -> int:
        """Parameters of one expert."""
        return self.ffn_matrices * self.hidden * self.expert_ffn

    @property
    def head_params(self) -> int:
        """Parameters of the output head."""
        return self.vocab * self.hidden

    @property
    def params(self) -> int:
        """All parameters, the routers included."""
        return self._params(self.experts)

    @property
    def active_params(self) -> int:
        """Parameters that one token meets, embedding and head included."""
        return self._params(self.active_experts)

    def _params(self, experts: int) -> int:
        dense = (self.layers - self.expert_layers) * self.dense_ffn_params
        routed = (experts + self.shared_experts) * self.expert_params + self.experts * self.hidden
        ends = self.head_params * (1 if self.tied_embeddings else 2)
        return self.layers * self.attention_params + dense + self.expert_layers * routed + ends

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights."""
        return self.params * self.dtype_bytes

    @property
    def cached_per_token(self) -> int:
        """Numbers cached per token and layer: keys and values of the KV heads, or the latent vector."""
        return 2 * self.kv_heads * self.head_dim if self.latent is None else self.latent.cached

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of KV cache per token over all layers."""
        return self.layers * self.cached_per_token * self.kv_dtype_bytes

    def group_sizes(self) -> tuple[int, ...]:
        """Numbers of GPUs that can share the model by tensor parallelism, increasing.

        Query heads must come out whole. Each KV head must be on the GPUs of its query heads: the KV heads are divided
        evenly, or each is copied to the same number of GPUs; any other split would cut a group of queries.
        """
        split = [g for g in range(1, self.q_heads + 1) if self.q_heads % g == 0]
        if self.latent is not None:
            return tuple(split)
        return tuple(g for g in split if self.kv_heads % g == 0 or g % self.kv_heads == 0)

    def require_group(self, gpus: int) -> None:
        """Refuse a number of GPUs that is not one of `group_sizes`.

        Raises
        ------
        InputError
            Naming those that are.
        """
        sizes = self.group_sizes()
        if gpus not in sizes:
            whole = self.q_heads % gpus == 0
            why = (
                f"its {self.kv_heads} KV heads can be neither divided among {gpus} nor copied evenly"
                if whole
                else f"must divide the {self.q_heads} query heads of {self.name}"
            )
            raise InputError(f"tensor_parallel = {gpus}: {why}; {self.name} runs on {', '.join(map(str, sizes))}")

    def kv_heads_on(self, gpus: int) -> int:
        """KV heads on each of `gpus` of a tensor-parallel group: a share of them, or a copy of one."""
        self.require_group(gpus)
        return max(1, self.kv_heads // gpus)

    def kv_bytes_per_token_on(self, gpus: int) -> float:
        """Bytes of KV cache per token on each of `gpus` of a tensor-parallel group.

        Heads are divided and, where there are fewer KV heads than GPUs, copied; a latent vector is copied to all.

        Raises
        ------
        InputError
            When `gpus` is not one of `group_sizes`.
        """
        if self.latent is not None:
            self.require_group(gpus)
            return self.kv_bytes_per_token
        return self.kv_bytes_per_token * self.kv_heads_on(gpus) / self.kv_heads

    def weight_bytes_on(self, gpus: int) -> float:
        """Bytes of weights on each of `gpus` of a tensor-parallel group.

        Everything is divided, but for copies: projections of KV heads that are copied, the projections to latent
        vectors, and routers.

        Raises
        ------
        InputError
            When `gpus` is not one of `group_sizes`.
        """
        self.require_group(gpus)
        if self.latent is None:
            copied = 2 * self.hidden * self.head_dim * self.kv_heads_on(gpus)
            attention = 2 * self.hidden * self.head_dim * self.q_heads / gpus + copied
        else:
            copied = self.latent.shared_projections(self.hidden)
            attention = (self.attention_params - copied) / gpus + copied
        routers = self.expert_layers * self.experts * self.hidden
        divided = self.params - routers - self.layers * self.attention_params
        return (divided / gpus + routers + self.layers * attention) * self.dtype_bytes

    @property
    def prefill_pair_flops(self) -> int:
        """FLOPs of attention per layer for a query token and a key token of a prompt: ``4 nq dh``."""
        return 4 * self.q_heads * self.head_dim if self.latent is None else self.latent.prefill_pair_flops(self.q_heads)

    @property
    def decode_pair_flops(self) -> int:
        """FLOPs of attention per layer for a decoded token and a cached token: ``4 nq dh``."""
        return 4 * self.q_heads * self.head_dim if self.latent is None else self.latent.decode_pair_flops(self.q_heads)
