"""How many prompt tokens to put into an iteration when their price rises with their number."""

from __future__ import annotations

import math
from typing import NamedTuple

from orsched.service import Batch, ServiceModel


class PromptPrice(NamedTuple):
    """What prompt tokens of the next iteration cost everybody present, and what they save.

    ``x`` prompt tokens lengthen the iteration by ``f(x)``, which delays all ``n`` present; the ``m`` requests whose
    prompt is not done wait for ``T(0) + f(x)``. Serving a long backlog in chunks of ``x`` costs ``c(x) = (n f(x) +
    m T(0)) / x`` request-seconds a token, least where the marginal cost ``n f'(x)`` equals the average ``c(x)``: below
    it, larger chunks are cheaper. Attention and re-reading of cached tokens are left out of ``f``.

    Parameters
    ----------
    service : ServiceModel
        Iteration time.
    num_seqs, kv_tokens : int
        Decodes of the iteration and the KV tokens they read.
    present : int
        ``n``, requests waiting or running.
    """

    service: ServiceModel
    num_seqs: int
    kv_tokens: int
    present: int

    def cheap_tokens(self) -> float:
        """Prompt tokens before the service model's marginal price first rises, at least 1; infinite if never."""
        lines = [
            (m.base_s + m.sequence_s * self.num_seqs + m.kv_token_s * self.kv_tokens, m.prompt_token_s)
            for m in self.service.affine_minorants()
        ]
        level, slope = max(lines)
        crossings = [(level - low) / (steeper - slope) for low, steeper in lines if steeper > slope]
        return max(1.0, math.floor(min(crossings) + 1e-9)) if crossings else math.inf

    def pays(self, done: int, more: int, cheap: float, pending: int) -> bool:
        """Whether `more` tokens on top of `done` cost less each than the average of chunks of `cheap` tokens.

        Parameters
        ----------
        done, more : int
            Prompt tokens already in the iteration, and those in question.
        cheap : float
            Size of the chunk that is the alternative, finite.
        pending : int
            ``m``, requests whose prompt is not done.
        """
        nothing = self._iteration_s(0)
        marginal = self.present * (self._iteration_s(done + more) - self._iteration_s(done)) / more
        average = (self.present * (self._iteration_s(cheap) - nothing) + pending * nothing) / cheap
        return marginal < average

    def _iteration_s(self, prompt_tokens: float) -> float:
        return self.service.iteration_s(Batch(prompt_tokens, 0.0, 0, self.num_seqs, self.kv_tokens))
