"""Prompt types of the WAIT paper, and the hardware of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluid import ClassRate
from orsched.catalogue import Hardware
from orsched.checks import check_number
from orsched.errors import InputError
from orsched.service import Affine


@dataclass(frozen=True, slots=True)
class PromptType:
    """One type ``j``: Poisson arrivals of prompts that all have the same lengths (arXiv 2504.11320, section 2).

    Parameters
    ----------
    rate_per_s : float
        ``lambda_j``, > 0.
    prompt_tokens : int
        ``l_j``, tokens of the prefill.
    decode_steps : int
        ``l'_j``, decode iterations after the prefill, >= 1. The engine's prefill emits a token of its own, so that this
        is ``l'_j + 1`` output tokens there.

    Raises
    ------
    InputError
        For a value outside its range.
    """

    rate_per_s: float
    prompt_tokens: int
    decode_steps: int

    def __post_init__(self) -> None:
        check_number(self, "rate_per_s", above=True, unit="prompts per second")
        for field in ("prompt_tokens", "decode_steps"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"PromptType.{field} = {value!r}: must be a whole number >= 1")

    @property
    def output_tokens(self) -> int:
        """Output tokens in the engine's count, ``l'_j + 1``."""
        return self.decode_steps + 1

    @property
    def volume(self) -> int:
        """``S_j = (l'_j + 1)(l_j + l'_j / 2)``: token-iterations of KV memory a prompt takes."""
        return (self.decode_steps + 1) * self.prompt_tokens + self.decode_steps * (self.decode_steps + 1) // 2

    @property
    def class_rate(self) -> ClassRate:
        """The same demand in the vocabulary of `fluid`."""
        return ClassRate(self.rate_per_s, self.prompt_tokens, self.output_tokens)


@dataclass(frozen=True, slots=True)
class TypeOf:
    """Says which type a request is of, by its lengths: what WAIT is told about a prompt.

    Parameters
    ----------
    of_lengths : dict of (int, int) to int
        Type by prompt and output tokens.
    """

    of_lengths: dict[tuple[int, int], int]

    @classmethod
    def among(cls, types: Sequence[PromptType]) -> TypeOf:
        """Tell `types` apart.

        Raises
        ------
        InputError
            When there is none, or two have the same lengths.
        """
        if not types:
            raise InputError("no prompt type given: need at least one")
        of_lengths = {(kind.prompt_tokens, kind.output_tokens): j for j, kind in enumerate(types)}
        if len(of_lengths) < len(types):
            raise InputError("two prompt types have the same lengths: merge them, their rates add up")
        return cls(of_lengths)

    def __call__(self, input_tokens: int, output_tokens: int | None, /) -> float:
        """Type of a request."""
        assert output_tokens is not None, "the engine tells the class from Information.CLASS on"
        return self.of_lengths[input_tokens, output_tokens]


def offered_tokens_per_s(types: Sequence[PromptType]) -> float:
    """``sum_j lambda_j l'_j``: decode tokens offered per second, the fluid's throughput."""
    return sum(kind.rate_per_s * kind.decode_steps for kind in types)


def linear_hardware(d0: float, d1: float, kv_tokens: int) -> Hardware:
    """The paper's one GPU: an iteration takes ``d0 + d1 KV`` seconds, `kv_tokens` fit, batches have no other limit."""
    return Hardware("wait-linear", Affine.wait(d0, d1), kv_tokens, max_num_seqs=max(1, kv_tokens))
