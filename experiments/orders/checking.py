"""Which claims ``orsched check`` is asked to check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proofs_check import Claim


def claims_of(names: str | Iterable[str] | None) -> list[Claim]:
    """Claims of these names, or whose names begin with these words, each once; None or nothing: all of them.

    Raises
    ------
    UnknownNameError
        When there is none of a name.
    """
    from proofs_check import CLAIMS, claims_named

    given = [names] if isinstance(names, str) else list(names or ())
    wanted = [claim.name for name in given or CLAIMS for claim in claims_named(name)]
    return [CLAIMS[name] for name in dict.fromkeys(wanted)]
