"""Statistics of simulation output: estimates, quantiles, warm-up, stability, rankings, and when to stop."""
