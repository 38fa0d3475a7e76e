"""PolyServe, and its variant for a fixed fleet."""
