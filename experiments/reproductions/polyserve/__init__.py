"""PolyServe (arXiv 2507.17769): goodput of a fleet that serves several objectives."""

from experiments.reproductions.polyserve.plan import PolyServe

POLYSERVE = PolyServe()

__all__ = ["POLYSERVE"]
