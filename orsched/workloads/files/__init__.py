"""Workloads in files: CSV, Parquet and JSON lines."""

from __future__ import annotations

from orsched.workloads.files.opening import Limits
from orsched.workloads.files.readers import FORMATS, read_lengths, read_workload
from orsched.workloads.files.writers import write_workload

__all__ = ["FORMATS", "Limits", "read_lengths", "read_workload", "write_workload"]
