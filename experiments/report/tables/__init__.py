"""The tables of the report as plain values, for the page to lay out and to sort."""
