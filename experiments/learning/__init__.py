"""The gymnasium environment ``orsched/Serve-v0``; importing this package registers it.

Needs gymnasium, which the extra ``gym`` installs.
"""

from experiments.learning.registration import ENVIRONMENT, register_environments
from experiments.learning.rewards import REWARDS, Goodput, Latency, Return
from experiments.learning.serve import ServeEnv

register_environments()

__all__ = ["ENVIRONMENT", "REWARDS", "Goodput", "Latency", "Return", "ServeEnv", "register_environments"]
