"""An experiment as an inert value: which policies meet which requests on which fleets, and what is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from experiments.comparison.experiment import LEAST_LOAD, MOST_LOAD, MOST_REQUESTS
from experiments.fleet.part import Part, Text
from experiments.spec.consistency import require_consistent
from experiments.spec.fleet_entry import FleetEntry
from experiments.spec.listed import Listed
from experiments.spec.policy_entry import PolicyEntry
from experiments.spec.settings import MOST_REPLICATIONS, Objective, Precision
from experiments.spec.workload_entry import WorkloadEntry
from orsched.errors import InputError
from orsched.gap_table import SHOWN

if TYPE_CHECKING:
    from experiments.tasks import BoundTask, ServeTask

MOST_SEED = 2**63 - 1
"""Largest seed that TOML can carry."""

NO_PREDICTOR = "none"
"""In the place of a predictor: every policy knows what it declares."""

AxisValue = Annotated[float, Field(ge=LEAST_LOAD, le=MOST_LOAD)]
Axis = Listed[AxisValue]


class ExperimentSpec(Part):
    """Everything that decides the numbers of an experiment, and what its tables call them.

    Every policy is run with every predictor on every fleet for every workload, at every point of the one axis of
    numbers (``loads``, ``rates_per_s`` or ``scales``), on the same sample paths. Two equal specifications have equal
    tasks, and equal tasks give equal bytes. A specification opens no file until its tasks are listed.

    Raises
    ------
    pydantic.ValidationError
        A `ValueError` that names the field, the value and what is allowed; unknown fields with the nearest known.
    """

    description: Text = "experiment"
    workloads: Listed[WorkloadEntry]
    fleets: Listed[FleetEntry]
    policies: Listed[PolicyEntry]
    predictors: Listed[Text] = (NO_PREDICTOR,)
    """Where policies that use output lengths have them from: ``none`` (what each declares), or as ``noise:0.5``."""
    loads: Axis | None = None
    """1 is the edge of what any policy sustains. Not on fleets that mix hardware, for which no load is defined."""
    rates_per_s: Axis | None = None
    """Requests per second for the whole fleet."""
    scales: Axis | None = None
    """Multiples of `requests` at the load `load`: rates and speeds times the scale over one horizon at fixed memory,
    with times told on the unscaled clock."""
    load: AxisValue | None = None
    """With `scales`, which need it."""
    requests: Annotated[int, Field(ge=2, le=MOST_REQUESTS)] = 2_000
    """Of each sample path, at scale 1."""
    replications: Annotated[int, Field(ge=1, le=MOST_REPLICATIONS)] = 20
    """Sample paths for each seed. Not with `precision`, which decides how many."""
    seeds: Listed[Annotated[int, Field(ge=0, le=MOST_SEED)]] = (0,)
    warm_up: Text = "none"
    """Rule for the arrivals left out of what tables show; gaps always cover the whole path, as bounds do."""
    metrics: Listed[Text] = SHOWN
    """Columns of the gap tables of its results; beside them is always the gap of the mean latency. All others
    are kept too: of objectives with `slo` or tiers, percentiles of the gaps between tokens (``itl_p..``) if one
    is named."""
    bounds: Literal["all", "fast", "none"] = "all"
    """``fast`` leaves out linear programmes over requests and searches over quantiles (`fluid.fast_bounds`)."""
    slo: Objective | None = None
    """Of all requests of workloads without tiers; those of tiers have their own."""
    precision: Precision | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ExperimentSpec:
        try:
            require_consistent(self)
        except InputError as error:
            raise PydanticCustomError("contradiction", "{message}", {"message": str(error)}) from None
        return self

    @property
    def axis(self) -> Literal["load", "rate_per_s", "scale"]:
        """What the columns are."""
        if self.loads is not None:
            return "load"
        return "rate_per_s" if self.rates_per_s is not None else "scale"

    @property
    def points(self) -> tuple[float, ...]:
        """The columns, in the order given."""
        found = self.loads or self.rates_per_s or self.scales
        assert found is not None, "one axis is given"
        return found

    @property
    def first_replications(self) -> int:
        """Replications of each seed that are run in any case."""
        return self.replications if self.precision is None else self.precision.least

    @property
    def key(self) -> str:
        """Identity of the experiment without its code: equal for other orders, labels and descriptions.

        Raises
        ------
        InputError
            When a file it names cannot be read: files count by content.
        """
        from experiments.spec.key import key_of

        return key_of(self)

    def tasks(self, replications: int | None = None) -> list[ServeTask | BoundTask]:
        """The units of work, one for each place of the table, in a fixed order.

        Tasks of one path stand together, its bounds first; replications are the outermost loop, so that those of more
        replications begin with those of fewer.

        Parameters
        ----------
        replications : int, optional
            For each seed, >= 1; by default those of the specification.

        Raises
        ------
        InputError
            For an unknown name, or a file that cannot be read.
        """
        from experiments.spec.plan import tasks_of

        return tasks_of(self, self.first_replications if replications is None else replications)

    def require_runnable(self) -> None:
        """Check what needs files: names, traces and hardware, and that every request fits.

        Raises
        ------
        InputError
            Naming the field.
        """
        from experiments.spec.known import require_fitting, require_known

        require_known(self)
        require_fitting(self)

    def absolute(self, folder: Path | None = None) -> ExperimentSpec:
        """The same experiment with relative file names made absolute, below `folder` or the current one."""
        root = (Path.cwd() if folder is None else folder).absolute()
        workloads = tuple(entry.absolute(root) for entry in self.workloads)
        return self.model_copy(
            update={"workloads": workloads, "fleets": tuple(entry.absolute(root) for entry in self.fleets)}
        )

    def to_toml(self) -> str:
        """The specification as a TOML file with every setting; `read_spec` gives an equal value."""
        from experiments.spec.writing import spec_toml

        return spec_toml(self)
