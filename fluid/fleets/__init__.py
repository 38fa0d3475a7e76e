"""Fleet programmes: goodput under several SLOs, balanced decoding, provisioning, least energy over the clock."""

from fluid.fleets.assignment import PlacementPlan, best_placement
from fluid.fleets.balance import BalanceCase, DecodeJob, Migration, jobs_of
from fluid.fleets.balance_bounds import BalanceBounds, balance_bounds
from fluid.fleets.balance_of_run import RunBalance, balance_of_run
from fluid.fleets.balance_score import NOWHERE, BalanceScore, score
from fluid.fleets.clock import Phase
from fluid.fleets.clock_certificate import prove_power_w
from fluid.fleets.clock_energy import ClockPlan, least_power
from fluid.fleets.clock_modes import clock_modes, least_power_on_list
from fluid.fleets.clock_pool import ClockPool
from fluid.fleets.deadline_goodput import deadline_goodput_bound
from fluid.fleets.goodput_bound import GoodputBound, goodput_bound
from fluid.fleets.goodput_plan import GoodputPlan, goodput_plan
from fluid.fleets.mean_tpot import mean_tpot_goodput_bound
from fluid.fleets.path_goodput import path_goodput_bound
from fluid.fleets.provisioning import provision
from fluid.fleets.server_option import ServerOption, server_options
from fluid.fleets.server_plan import ServerPlan
from fluid.fleets.server_rate import ServerRate, server_rate
from fluid.fleets.tier import Tier
from fluid.fleets.tier_demand import TierDemand

__all__ = [
    "NOWHERE",
    "BalanceBounds",
    "BalanceCase",
    "BalanceScore",
    "ClockPlan",
    "ClockPool",
    "DecodeJob",
    "GoodputBound",
    "GoodputPlan",
    "Migration",
    "Phase",
    "PlacementPlan",
    "RunBalance",
    "ServerOption",
    "ServerPlan",
    "ServerRate",
    "Tier",
    "TierDemand",
    "balance_bounds",
    "balance_of_run",
    "best_placement",
    "clock_modes",
    "deadline_goodput_bound",
    "goodput_bound",
    "goodput_plan",
    "jobs_of",
    "least_power",
    "least_power_on_list",
    "mean_tpot_goodput_bound",
    "path_goodput_bound",
    "prove_power_w",
    "provision",
    "score",
    "server_options",
    "server_rate",
]
