"""Rescheduling of decode instances by predicted load: our reference design for what ARES / STAR describes.

ARES (arXiv 2510.13668v1), renamed STAR in its second version, moves decoding requests between decode instances by
predicted remaining lengths. Its formulas are not in what we could read: loads, score, guard, costs and defaults are
ours.
"""

from policies.ares.ares_like import SYSTEMS, ares_like
from policies.ares.settings import AresLikeSettings

__all__ = ["SYSTEMS", "AresLikeSettings", "ares_like"]
