"""What no policy can beat: fluid equilibria, linear and mixed-integer programmes, pathwise bounds."""

from fluid.bounds import bounds, fast_bounds
from fluid.certify import CertificateError, certify
from fluid.demand import ClassRate, Rates, class_rates
from fluid.equilibrium import Equilibrium, StabilityLimits, equilibrium, stability_limits
from fluid.goodput import Goodput, goodput
from fluid.modes import Mode, fluid_latency, hull_latency, mode_lp
from fluid.pathwise.goodput import deadline_goodput_bounds, goodput_bounds
from fluid.pathwise.quantiles import quantile_bounds
from fluid.planning import Capacity, capacity, pathwise_capacity, planned_load
from fluid.programme import LinearProgramme, Solution, SolverError, solve
from fluid.subject import subject

__all__ = [
    "Capacity",
    "CertificateError",
    "ClassRate",
    "Equilibrium",
    "Goodput",
    "LinearProgramme",
    "Mode",
    "Rates",
    "Solution",
    "SolverError",
    "StabilityLimits",
    "bounds",
    "capacity",
    "certify",
    "class_rates",
    "deadline_goodput_bounds",
    "equilibrium",
    "fast_bounds",
    "fluid_latency",
    "goodput",
    "goodput_bounds",
    "hull_latency",
    "mode_lp",
    "pathwise_capacity",
    "planned_load",
    "quantile_bounds",
    "solve",
    "stability_limits",
    "subject",
]
