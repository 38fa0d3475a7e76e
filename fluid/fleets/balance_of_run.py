"""How far the decode instances of a run were from perfect balance, at sampled times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fluid.fleets.balance_bounds import heaviest_share
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.service import Batch
from orsched.work import Floats, Ints

_ROUNDING = 1e-12

Residents = Sequence[Sequence[int] | Ints]
"""For each instance, the KV tokens that each request decoding there reads in its next iteration."""


@dataclass(frozen=True, slots=True, eq=False)
class RunBalance:
    """Balance at the sampled times; arrays of shape ``(samples,)``. See `balance_of_run`.

    Parameters
    ----------
    longest_s : ndarray of float64
        The longest decode iteration over the instances; 0 where nobody decodes.
    bound_s : ndarray of float64
        What it is at least, wherever the same requests sit; 0 where nobody decodes.
    requests : ndarray of int64
        How many decode.
    """

    longest_s: Floats
    bound_s: Floats
    requests: Ints

    @property
    def ratio(self) -> Floats:
        """``longest / bound`` at the samples where somebody decodes: 1 is perfect, shape ``(k,)``."""
        busy = self.requests > 0
        return self.longest_s[busy] / self.bound_s[busy]

    @property
    def mean_ratio(self) -> float:
        """Sum of the longest iterations over that of their bounds: how much faster balance could be, at most."""
        return float(self.longest_s.sum() / self.bound_s.sum())

    @property
    def worst_ratio(self) -> float:
        """Longest iteration of all samples over the largest bound of all."""
        return float(self.longest_s.max() / self.bound_s.max())


def balance_of_run(samples: Sequence[Residents], hardware: Hardware) -> RunBalance:
    """Compare the longest decode iteration of each sample with what no placement of its requests can go below.

    Ours: a yardstick for rescheduling, of the kind that ARES (arXiv 2510.13668) does.

    **What is compared.** At a sampled time every request that decodes somewhere is given one decode iteration with
    those beside it, by the service model: prompt chunks that may share the iteration are left out, on both sides. The
    bound is on the longest of these iterations over all ways to place the same requests on the same number of
    identical instances, without pausing anybody; moving is free, memory is not limited. It says nothing about which
    requests are present: a policy that finishes requests sooner has others to place.

    **Proof.** That of `fluid.fleets.balance_bounds` for one round. For a minorant ``T >= alpha + sum of w_j over the
    batch``, ``w_j = gamma + delta k_j``, some instance has at least the average weight; and of the ``k m + 1`` heaviest
    requests some instance has ``k + 1``, which weigh at least as much as the ``k + 1`` lightest of them. That instance
    decodes, and its iteration lasts at least alpha plus its weight: the largest over minorants and k is a lower bound,
    for the placement of the run as for any other. So the ratio is at least 1 (the bound is lowered by 1e-12 for
    rounding).

    Parameters
    ----------
    samples : sequence of Residents
        One entry per sampled time; the same number of instances m in each.
    hardware : Hardware
        What every instance is.

    Raises
    ------
    InputError
        When there is no sample in which somebody decodes, samples differ in their number of instances, or a request
        reads less than one token.

    Examples
    --------
    >>> from orsched.service import Affine
    >>> gpu = Hardware("gpu", Affine(0.01, 0, 0, 1e-6), 100_000)
    >>> found = balance_of_run([[[3000, 3000, 3000], []], [[3000], [3000, 3000]]], gpu)
    >>> found.ratio.round(4).tolist(), round(found.mean_ratio, 4)
    ([1.1875, 1.0], 1.0938)
    """
    sizes = {len(residents) for residents in samples}
    if len(sizes) != 1 or 0 in sizes:
        raise InputError(f"samples have {sorted(sizes)} instances: need samples, with the same instances in each")
    instances = sizes.pop()
    longest, bound = np.zeros(len(samples)), np.zeros(len(samples))
    requests = np.zeros(len(samples), dtype=np.int64)
    lines = hardware.service.affine_minorants()
    for row, residents in enumerate(samples):
        reads = [np.asarray(one, dtype=np.int64) for one in residents if len(one)]
        if not reads:
            continue
        every = np.concatenate(reads)
        if every.min() < 1:
            raise InputError(f"sample {row}: a request reads {every.min()} tokens: must be >= 1")
        requests[row] = len(every)
        longest[row] = max(_iteration_s(hardware, one) for one in reads)
        shares = [
            (m.base_s, heaviest_share(m.sequence_s + m.kv_token_s * every.astype(float), instances)) for m in lines
        ]
        bound[row] = max(base + max(share) for base, share in shares) * (1 - _ROUNDING)
    if not requests.any():
        raise InputError("nobody decodes in any sample: there is nothing to balance")
    return RunBalance(longest, bound, requests)


def _iteration_s(hardware: Hardware, reads: Ints) -> float:
    batch = Batch(num_seqs=len(reads), kv_tokens=int(reads.sum()), longest_kv_tokens=int(reads.max()))
    return hardware.service.iteration_s(batch)
