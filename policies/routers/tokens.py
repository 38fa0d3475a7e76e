"""Routers that count tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def least_kv(view: FleetView, request: int, /) -> int | None:
    """The instance with the fewest cached KV tokens, ties to the lowest index."""
    return view.least("resident tokens", view.resident_tokens, exact=view.kv_tokens)


def token_jsq(view: FleetView, request: int, /) -> int | None:
    """The instance with the fewest prompt tokens to process (Splitwise's Token-JSQ), ties to the fewest requests.

    The rule between equals is ours: an instance that decodes only has no prompt tokens, however many it decodes for.
    """
    return view.least("prompt tokens, requests", lambda i: lexicographic(view.backlog_tokens(i), view.in_system(i)))


def lexicographic(first: int, second: int) -> int:
    """One whole number that orders as the pair does; `second` below 2^32."""
    return first << 32 | second
