"""A reproduction on disk: its page and its figures."""

from __future__ import annotations

from pathlib import Path

from experiments.render.files import require_writable
from experiments.reproductions.plan import Report
from orsched.atomic import write_text

CELLS = ".cells"
"""Folder of finished cells, beside the page, while a reproduction runs."""


def stem_of(paper: str, quick: bool) -> str:
    """What the names of the page and its figures begin with."""
    return f"{paper}-quick" if quick else paper


def require_page(out: Path, stem: str) -> None:
    """Refuse, before any work, a folder that the page cannot be written to; raises InputError."""
    require_writable(out / f"{stem}.md", (".md",))


def write_page(report: Report, out: Path, stem: str) -> tuple[Path, ...]:
    """Write the page and its figures into `out`, which is made if it is missing; the page is the first of them."""
    out.mkdir(parents=True, exist_ok=True)
    figures = report.write_figures(out, stem)
    target = out / f"{stem}.md"
    write_text(target, report.page(figures))
    return (target, *(out / name for name in figures.values()))
