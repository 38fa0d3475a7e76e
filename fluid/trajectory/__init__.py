"""The time path of the fluid model under a time-varying arrival rate."""

from fluid.trajectory.inflow import Inflow, LengthMix
from fluid.trajectory.path import Trajectory, trajectory
from fluid.trajectory.profile import RateProfile
from fluid.trajectory.server import TokenBudgetServer

__all__ = ["Inflow", "LengthMix", "RateProfile", "TokenBudgetServer", "Trajectory", "trajectory"]
