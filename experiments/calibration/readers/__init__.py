"""Readers of the profile formats: each turns tables into a `Profile` of one group."""

from experiments.calibration.readers.reading import Groups, read_groups

__all__ = ["Groups", "read_groups"]
