"""The mode LP: one fluid benchmark for every system, whatever distinguishes its ways to run."""

from fluid.modes.batches import SeatRange, batch_modes, chunk_minorants
from fluid.modes.columns import solve_by_columns
from fluid.modes.little import fluid_latency, hull_latency, hull_number, seat_ranges
from fluid.modes.mode import Mode
from fluid.modes.objective import CAPACITY, COST, MEAN_NUMBER, POWER, Objective, most
from fluid.modes.participants import Participant, serving_participants
from fluid.modes.programme import ModePlan, mode_lp
from fluid.modes.rows import Requirements, mode_programme
from fluid.modes.table import ModeTable
from fluid.modes.worths import participation_worths

__all__ = [
    "CAPACITY",
    "COST",
    "MEAN_NUMBER",
    "POWER",
    "Mode",
    "ModePlan",
    "ModeTable",
    "Objective",
    "Participant",
    "Requirements",
    "SeatRange",
    "batch_modes",
    "chunk_minorants",
    "fluid_latency",
    "hull_latency",
    "hull_number",
    "mode_lp",
    "mode_programme",
    "most",
    "participation_worths",
    "seat_ranges",
    "serving_participants",
    "solve_by_columns",
]
