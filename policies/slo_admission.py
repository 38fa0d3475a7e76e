"""Admission in the manner of SLOs-Serve: what cannot be served in time is best effort, or rejected."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from policies.registry import get_recipe, get_router
from policies.routers import SLOAdmission, reject
from policies.system import System


@dataclass(frozen=True, slots=True)
class SLOAdmissionSettings:
    """Parts and parameters of `SLOAdmission`.

    Parameters
    ----------
    batcher : str
        A registered policy; it plans the batches of every instance.
    router : str
        A registered router: names the instance that is tested first, and takes the refused ones as best effort.
    refused : {"best-effort", "rejected"}
        What becomes of a request that no tested instance takes.
    hops : int
        Other instances to test.
    chunk_tokens : int
        Prompt tokens of an iteration, for predictions.
    mean_output_tokens : int
        Expected output of every request.

    Raises
    ------
    InputError
        Naming the field.
    UnknownNameError
        When there is no such part.
    """

    batcher: str = "vllm-v1"
    router: str = "jsq"
    refused: Literal["best-effort", "rejected"] = "best-effort"
    hops: int = 3
    chunk_tokens: int = 512
    mean_output_tokens: int = 256

    def __post_init__(self) -> None:
        get_recipe(self.batcher)
        if self.refused not in ("best-effort", "rejected"):
            raise InputError(f"SLOAdmissionSettings.refused = {self.refused!r}: must be 'best-effort' or 'rejected'")
        self.admission()

    def admission(self) -> SLOAdmission:
        """The router."""
        router = get_router(self.router)
        last = router if self.refused == "best-effort" else reject
        return SLOAdmission(router, last, self.hops, self.chunk_tokens, self.mean_output_tokens)


def slo_admission(workload: Workload, fleet: Fleet, settings: SLOAdmissionSettings) -> Policy:
    """Build the batcher behind the admission.

    Raises
    ------
    InputError
        When the batcher cannot run there, or no class of `workload` has an objective.
    """
    admission = settings.admission()
    built = get_recipe(settings.batcher).build(workload, fleet).routed_by(admission)
    admission.require_objectives(workload)
    return replace(built, name="slo-admission", settings={**built.settings, **asdict(settings)})


SYSTEMS = (
    System(
        "slo-admission",
        "admits what predicted times can keep in time (in the manner of SLOs-Serve; the tests are ours)",
        SLOAdmissionSettings,
        slo_admission,
    ),
)
