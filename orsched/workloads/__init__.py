"""Workloads: synthetic ones, bundled traces and files."""

from __future__ import annotations

from orsched.workloads.arrivals import ArrivalProcess, GammaRenewal, Poisson
from orsched.workloads.catalogue import workload, workload_names, workload_source
from orsched.workloads.files import Limits, read_lengths, read_workload, write_workload
from orsched.workloads.lengths import Independent, JointSample, LengthLaw
from orsched.workloads.marginals import Empirical, Fixed, Geometric, LogNormal, Marginal, Uniform
from orsched.workloads.markov_modulated import MarkovModulatedPoisson
from orsched.workloads.mix import ClassMix, ClassShare
from orsched.workloads.piecewise_poisson import PiecewisePoisson
from orsched.workloads.prefix_blocks import PrefixBlocks
from orsched.workloads.sources import SyntheticSource, TraceSource, WorkloadSource
from orsched.workloads.synthetic import synthetic
from orsched.workloads.workload import Workload

__all__ = [
    "ArrivalProcess",
    "ClassMix",
    "ClassShare",
    "Empirical",
    "Fixed",
    "GammaRenewal",
    "Geometric",
    "Independent",
    "JointSample",
    "LengthLaw",
    "Limits",
    "LogNormal",
    "Marginal",
    "MarkovModulatedPoisson",
    "PiecewisePoisson",
    "Poisson",
    "PrefixBlocks",
    "SyntheticSource",
    "TraceSource",
    "Uniform",
    "Workload",
    "WorkloadSource",
    "read_lengths",
    "read_workload",
    "synthetic",
    "workload",
    "workload_names",
    "workload_source",
    "write_workload",
]
