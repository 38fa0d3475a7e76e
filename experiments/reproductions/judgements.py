"""Published numbers beside ours, as they are counted and listed on every page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from experiments.render.markdown import pipe_table
from experiments.reproductions.published import Judged
from experiments.reproductions.verdict import Outcome

Judgements = Sequence[tuple[str, Judged]]
"""Every published number with its heading."""

HEADERS = ("what", "published", "source", "ours", "verdict", "why")


def counted(entries: Judgements) -> str:
    """How many verdicts of each kind, on one line."""
    counts = Counter(entry.verdict.outcome for _, entry in entries)
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome) + f", of {len(entries)}."


def tables(entries: Judgements) -> list[str]:
    """A heading and a table for each group, in the order in which they come."""
    parts = []
    for group in dict.fromkeys(heading for heading, _ in entries):
        rows = [
            (e.what, e.published, e.mark.value, e.ours, e.verdict.outcome.value, e.verdict.reason)
            for heading, e in entries
            if heading == group
        ]
        parts += [f"### {group}", pipe_table(HEADERS, rows)]
    return parts


def documents(entries: Judgements) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {
            "group": group,
            "what": entry.what,
            "published": entry.published,
            "source": entry.mark.value,
            "ours": entry.ours,
            "verdict": entry.verdict.outcome.value,
            "reason": entry.verdict.reason,
        }
        for group, entry in entries
    ]


def made_by(name: str, seed: int, quick: bool, how: str) -> str:
    """By which command the page was written; `how` says what its quick version leaves out."""
    options = (" --quick" if quick else "") + (f" --seed {seed}" if seed else "")
    note = f" **A quick version: {how}.**" if quick else ""
    return (
        f"Written by `orsched reproduce {name}{options}`, orsched {version('orsched')}, seed {seed}.{note} Every "
        "number below is computed by that command; no verdict is typed by hand."
    )
