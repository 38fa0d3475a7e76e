"""What no policy can beat: fluid equilibria, linear and mixed-integer programmes, pathwise bounds."""

from fluid.bounds import bounds
from fluid.certify import CertificateError, certify
from fluid.demand import ClassRate, Rates, class_rates
from fluid.equilibrium import Equilibrium, StabilityLimits, equilibrium, stability_limits
from fluid.planning import Capacity, capacity, pathwise_capacity, planned_load
from fluid.programme import LinearProgramme, Solution, SolverError, solve
from fluid.subject import subject

__all__ = [
    "Capacity",
    "CertificateError",
    "ClassRate",
    "Equilibrium",
    "LinearProgramme",
    "Rates",
    "Solution",
    "SolverError",
    "StabilityLimits",
    "bounds",
    "capacity",
    "certify",
    "class_rates",
    "equilibrium",
    "pathwise_capacity",
    "planned_load",
    "solve",
    "stability_limits",
    "subject",
]
