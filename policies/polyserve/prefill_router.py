"""Where prompts are processed when decodes run elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.engine.pool import ENTRY

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def least_backlog(view: FleetView, request: int, /) -> int | None:
    """The prefill server with the fewest prompt tokens to process, ties to the lowest number (ours).

    The paper's rule for prefill servers is not published in what we have.
    """
    return view.least("backlog tokens", view.backlog_tokens, ENTRY)
