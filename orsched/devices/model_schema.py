"""The schema of a model file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orsched.toml_file import one_line


class Part(BaseModel):
    """A table of a file whose fields are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LatentTable(Part):
    """The fields of `LatentAttention`."""

    query_rank: int
    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int


class ModelFile(Part):
    """What a model file holds: the fields of `ModelConfig`, and other names of the model."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(one_line)]
    aliases: list[str] = Field(default_factory=list)
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
    latent: LatentTable | None = None
    dtype_bytes: float = 2.0
    kv_dtype_bytes: float = 2.0
    positions: int | None = None
    source: str = Field(min_length=1)
    confidence: str = Field(pattern="^(code|unconfirmed)$")
    notes: str = ""
