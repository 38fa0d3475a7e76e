"""Canonical text of what decides a task's numbers, and the id made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

DIGITS = 24
"""Hexadecimal digits of an id: 96 bits."""


def canonical(facts: Mapping[str, object]) -> str:
    """JSON with sorted keys and no spaces; numbers in Python's shortest form."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def task_id(code: str, identity: str) -> str:
    """The name of the task with that identity, computed by that version of the code (`code_version`)."""
    return hashlib.sha256(f"{code}\n{identity}".encode()).hexdigest()[:DIGITS]
