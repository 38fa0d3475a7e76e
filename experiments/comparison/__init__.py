"""Policies against bounds on common sample paths, in memory: what ``gap-table``, ``evaluate`` and ``bound`` do."""
