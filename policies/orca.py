"""Orca (as in sarathi-serve's baseline): iteration-level scheduling with the maximum length reserved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.policy import Policy
from policies.parts.reserving import Reserving
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def deployment_peak(view: InstanceView, request: int) -> int:
    """KV tokens of the longest context the deployment is configured for, whatever the request."""
    return view.context_tokens - 1


def orca(max_num_seqs: int = 256) -> Policy:
    """Orca: each request reserves the longest context of the deployment; first come first served.

    Notes
    -----
    The deployment's context length is that of the workload's longest request (a server must accept it), of the whole
    trace and not of the sample path. The last token is never cached, hence one token less.
    """
    return Policy("orca", Reserving(deployment_peak, max_num_seqs))


RECIPES = (fixed(orca, "Orca: iteration-level first come first served, longest context reserved, 256 requests"),)
