"""The environments' names in gymnasium."""

from __future__ import annotations

try:
    import gymnasium
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'the environment needs gymnasium: python -m pip install "orsched[gym]"', name="gymnasium"
    ) from error

ENVIRONMENT = "orsched/Serve-v0"
"""Its name."""


def register_environments() -> None:
    """Tell gymnasium what `ENVIRONMENT` is, unless it knows."""
    if ENVIRONMENT not in gymnasium.registry:
        gymnasium.register(ENVIRONMENT, "experiments.learning.serve:ServeEnv")
