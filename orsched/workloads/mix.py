"""A mix of request classes: how often each comes, and how long its requests are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.checks import check_number
from orsched.errors import InputError
from orsched.request import RequestClass
from orsched.work import Ints
from orsched.workloads.lengths import LengthLaw


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class of a mix.

    Parameters
    ----------
    request_class : RequestClass
        Name and objective.
    weight : float
        Share of the arrivals, relative to the other weights, > 0; else InputError.
    lengths : LengthLaw
        Law of its lengths.
    """

    request_class: RequestClass
    weight: float
    lengths: LengthLaw

    def __post_init__(self) -> None:
        check_number(self, "weight", above=True)


@dataclass(frozen=True, slots=True)
class ClassMix:
    """Independent choice of a class for every request.

    Parameters
    ----------
    shares : tuple of ClassShare
        At least one, with different class names; else InputError. Weights need not sum to 1.
    """

    shares: tuple[ClassShare, ...]

    def __post_init__(self) -> None:
        names = [share.request_class.name for share in self.shares]
        if not names:
            raise InputError("ClassMix.shares is empty: a mix needs at least one class")
        if len(set(names)) < len(names):
            raise InputError(f"ClassMix has two classes of one name: {', '.join(names)}")

    @classmethod
    def single(cls, lengths: LengthLaw, request_class: RequestClass | None = None) -> ClassMix:
        """One class with the given lengths."""
        return cls((ClassShare(request_class or RequestClass(), 1.0, lengths),))

    @property
    def classes(self) -> tuple[RequestClass, ...]:
        """The classes, in the order of their ids."""
        return tuple(share.request_class for share in self.shares)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Probability of each class; sums to 1."""
        total = sum(share.weight for share in self.shares)
        return tuple(share.weight / total for share in self.shares)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Draw ``(class_id, input_tokens, output_tokens)`` of `n` requests; arrays of shape ``(n,)``.

        Every class draws its lengths from its own child stream.
        """
        for_ids, *for_lengths = rng.spawn(1 + len(self.shares))
        ids = for_ids.choice(len(self.shares), size=n, p=self.probabilities).astype(np.int64)
        inputs, outputs = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        for class_id, (share, stream) in enumerate(zip(self.shares, for_lengths, strict=True)):
            mine = ids == class_id
            inputs[mine], outputs[mine] = share.lengths.sample(int(mine.sum()), stream)
        return ids, inputs, outputs
