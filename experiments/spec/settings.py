"""The tables of a specification that say how it is judged: objectives of requests, precision of means."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from experiments.fleet.part import Part, PositiveSeconds, Text
from orsched.request import SLO

MOST_REPLICATIONS = 100_000
"""Most sample paths per cell and seed."""


class Objective(Part):
    """``[slo]``: what every request should get."""

    ttft_s: PositiveSeconds
    """Time to first token."""
    tpot_s: PositiveSeconds
    """Time per output token after the first."""

    def slo(self) -> SLO:
        """What the metrics take."""
        return SLO(self.ttft_s, self.tpot_s)


class Precision(Part):
    """``[precision]``: replicate until the mean of a metric is known well enough, cell by cell."""

    relative: Annotated[float, Field(ge=1e-6, lt=1)]
    """Half-width of the 95% interval to reach, as a share of the mean."""
    metric: Text = "latency_mean_s"
    """Whose mean."""
    least: Annotated[int, Field(ge=2, le=MOST_REPLICATIONS)] = 20
    """Replications to run in any case; stopping after fewer costs coverage."""
    most: Annotated[int, Field(ge=2, le=MOST_REPLICATIONS)] = 200
    """Replications after which to give up."""

    @model_validator(mode="after")
    def _ordered(self) -> Precision:
        if self.least > self.most:
            raise PydanticCustomError(
                "contradiction",
                "least = {least} is more than most = {most}",
                {"least": self.least, "most": self.most},
            )
        return self
