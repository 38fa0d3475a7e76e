"""A table of texts as a fragment of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(
    caption: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    footers: Sequence[str] = (),
    strong: Sequence[Sequence[bool]] | None = None,
) -> str:
    """A ``table`` element without styles or scripts, all texts escaped, and a small paragraph per footer.

    Parameters
    ----------
    caption : str
        Above the table.
    headers : sequence of str
        Of the columns; the first column heads its rows.
    rows : sequence of rows
        Texts, one for each header.
    footers : sequence of str
        Below the table.
    strong : sequence of rows of bool, optional
        Which cells are emphasised; none by default.
    """
    bold = strong or [[False] * len(headers)] * len(rows)
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in headers)
    lines = [f"<table>\n<caption>{escape(caption)}</caption>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for texts, marks in zip(rows, bold, strict=True):
        first, *others = (
            f"<strong>{escape(text)}</strong>" if mark else escape(text)
            for text, mark in zip(texts, marks, strict=True)
        )
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{other}</td>" for other in others)}</tr>')
    lines += ["</tbody>", "</table>"]
    return "\n".join([*lines, *(f"<p><small>{escape(footer)}</small></p>" for footer in footers)]) + "\n"
