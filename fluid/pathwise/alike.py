"""Fleets of unequal instances as identical ones, on which everything that a policy does is no slower."""

from __future__ import annotations

import math

from fluid.pathwise.least_time import LeastTime
from orsched.catalogue import Hardware
from orsched.fitting import usable_tokens
from orsched.fleet import Fleet


def alike(fleet: Fleet) -> Fleet:
    """A fleet of identical instances whose pathwise bounds hold for every policy on `fleet`.

    *Roles, links, instances that are off.* Every pathwise bound adds up inequalities over the iterations of all
    instances: an iteration lasts at least what a minorant says of its batch; it has at most B_max participants, who
    hold at most C tokens; iterations of one instance, and those of one request, do not overlap; and a request takes
    at least the iterations that emit its tokens, after its arrival. Where it runs them, who sent it there and how long
    its KV cache was on the way does not occur. A request that came over a link decodes as if it had been there before;
    one whose cache was lost re-prefills, which every minorant of the bounds allows for
    (`fluid.pathwise.minorants.recompute_proof`, `reuse_proof`). Being off, starting or in transfer takes time away. So
    on hardware of one kind the bounds for as many mixed instances, all on, hold as they are, and `fleet` itself is
    returned: bounds look at its hardware and its size only.

    *Unequal hardware.* The same inequalities hold on every instance with

    - the common minorants of all kinds (`LeastTime.of`), which no iteration on any of them undercuts;
    - the largest KV memory in whole blocks, and the most seats;
    - blocks of the greatest common divisor g of the block sizes: with blocks of b, a multiple of g, n tokens take
      ``b ceil(n / b)``, a multiple of g that is at least n, hence at least ``g ceil(n / g)``;
    - KV of preempted requests that is kept if any kind keeps it: the minorants are then lowered further.

    These are the inequalities of identical instances, so any schedule on `fleet` obeys all that the bounds of the
    returned fleet are derived from. A policy need not be able to run there, and nothing is simulated on it. The repairs
    for recomputation are made to the common minorants, so that a decode on one kind which a re-prefill on another one
    replaces is priced by one and the same function.

    Parameters
    ----------
    fleet : Fleet
        What serves.

    Returns
    -------
    Fleet
        With one kind of hardware. Its name and identity are not those of `fleet`: bounds carry
        `fluid.subject.subject` of the true one.
    """
    kinds = [kind.hardware for kind in fleet.by_hardware()]
    return fleet if len(kinds) == 1 else Fleet.identical(_least(kinds), fleet.size)


def _least(kinds: list[Hardware]) -> Hardware:
    """Hardware that is at least as fast, as large and as wide as each of several kinds."""
    return Hardware(
        name=" or ".join(kind.name for kind in kinds),
        service=LeastTime.of([kind.service for kind in kinds]),
        kv_capacity_tokens=max(map(usable_tokens, kinds)),
        max_num_seqs=max(kind.max_num_seqs for kind in kinds),
        block_tokens=math.gcd(*(kind.block_tokens for kind in kinds)),
        keeps_preempted_kv=any(kind.keeps_preempted_kv for kind in kinds),
    )
