"""Models that the claims of several papers share: a token-level queue, bursts in unit rounds and their optimum."""
