"""The table of docs/claims.md: ``python tests/support/claims_table.py`` writes it anew from the registry."""

from pathlib import Path

from proofs_check import CLAIMS

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
HEADER = "| claim | statement | source | rule | verdict |"


def claims_table() -> list[str]:
    """The lines of the table: one per claim, in the registry's order."""
    rows = [
        f"| `{claim.name}` | {claim.statement} | {claim.source} | {type(claim.rule).__name__} | "
        f"{'refuted' if claim.known_false else 'holds'} |"
        for claim in CLAIMS.values()
    ]
    return [HEADER, "|---|---|---|---|---|", *rows]


def page_with(table: list[str], page: str) -> str:
    """The page with that table in place of its own, which ends at the next empty line."""
    lines = page.splitlines()
    begin = lines.index(HEADER)
    end = lines.index("", begin)
    return "\n".join([*lines[:begin], *table, *lines[end:], ""])


if __name__ == "__main__":
    PAGE.write_text(page_with(claims_table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
