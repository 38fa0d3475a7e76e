"""Statistics of simulation output: rankings, intervals of quantiles, diagnostics of independence and steady state."""
