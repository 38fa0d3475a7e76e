"""Where sample paths come from, and what a run on one looks like over time."""
