"""docs/claims.md lists what there is."""

from claims_table import PAGE, claims_table, page_with

from proofs_check import rules

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_is_that_of_the_registry():
    """Claim: every claim with statement, source, rule and verdict; `python tests/support/claims_table.py` writes it."""
    assert page_with(claims_table(), TEXT) == TEXT


def test_every_rule_is_explained():
    """Claim: the page has a line for each rule."""
    names = [name for name in rules.__all__ if hasattr(getattr(rules, name), "decide") and name != "Rule"]
    assert len(names) == 7
    assert all(f"| `{name}`" in TEXT for name in names)
