"""PolyServe (arXiv 2507.17769), and its variant for a fixed fleet."""
