"""Where sample paths come from: a recorded trace, or a process and a law."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from orsched.checks import check_whole
from orsched.workloads.arrivals import ArrivalProcess
from orsched.workloads.lengths import LengthLaw
from orsched.workloads.mix import ClassMix
from orsched.workloads.synthetic import synthetic
from orsched.workloads.workload import Workload


class WorkloadSource(Protocol):
    """A named origin of workloads: the same experiment runs over any of them."""

    @property
    def name(self) -> str:
        """Catalogue name, and name of the workloads it gives."""
        ...

    @property
    def description(self) -> str:
        """One line: what it is and where it comes from."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> Workload:
        """Draw a sample path of `n` requests; another `rng`, another path."""
        ...

    def whole(self) -> Workload:
        """Return the one workload that stands for the source; the same at every call."""
        ...


@dataclass(frozen=True, slots=True)
class TraceSource:
    """A recorded trace; sample paths are circular blocks of it (`Workload.resample`).

    Parameters
    ----------
    trace : Workload
        All recorded requests.
    description : str
        One line for the catalogue.
    """

    trace: Workload
    description: str

    @property
    def name(self) -> str:
        """The trace's name."""
        return self.trace.name

    def draw(self, n: int, rng: np.random.Generator) -> Workload:
        """Draw blocks of consecutive requests, `n` in all; raises InputError if the trace has no rate."""
        return self.trace.resample(n, rng)

    def whole(self) -> Workload:
        """Return the trace as recorded."""
        return self.trace


@dataclass(frozen=True, slots=True)
class SyntheticSource:
    """An arrival process with a length law or class mix; every draw is a fresh sample.

    Parameters
    ----------
    name : str
        Catalogue name.
    description : str
        One line for the catalogue.
    arrivals : ArrivalProcess
        When requests arrive.
    lengths : LengthLaw or ClassMix
        How long they are.
    whole_requests, whole_seed : int
        Number of requests and seed of the path that `whole` gives.
    """

    name: str
    description: str
    arrivals: ArrivalProcess
    lengths: LengthLaw | ClassMix
    whole_requests: int = 10_000
    whole_seed: int = 1

    def __post_init__(self) -> None:
        check_whole(self, "whole_requests")
        check_whole(self, "whole_seed", least=0)

    def draw(self, n: int, rng: np.random.Generator) -> Workload:
        """Draw `n` requests; raises InputError unless ``n >= 1``.

        The context length is that of `whole`, so that it does not depend on the draw (unless a request is longer).
        """
        drawn = synthetic(self.name, self.arrivals, self.lengths, n, rng)
        return replace(drawn, context_tokens=max(drawn.context_tokens, self.whole().context_tokens))

    def whole(self) -> Workload:
        """Return the path of `whole_requests` requests drawn with `whole_seed`."""
        rng = np.random.default_rng(self.whole_seed)
        return synthetic(self.name, self.arrivals, self.lengths, self.whole_requests, rng)
