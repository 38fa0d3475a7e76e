"""ARES, later STAR (arXiv 2510.13668): rescheduling of decode instances by predicted load."""

from experiments.reproductions.ares.plan import Ares

ARES = Ares()

__all__ = ["ARES"]
