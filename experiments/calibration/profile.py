"""A profile of one model on one kind of instance, ready to be fitted."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from experiments.calibration.kernels import Kernels


@dataclass(frozen=True, slots=True)
class Profile:
    """Timed iterations of one (gpu, model, tensor parallel) group.

    Parameters
    ----------
    gpu, model : str
        As the profile spells them.
    tensor_parallel : int
        GPUs that share each layer.
    formats : tuple of str
        Formats of the files it was read from.
    iterations : DataFrame
        Columns of `experiments.calibration.profile_frame.check_profile`.
    kernels : Kernels, optional
        The parts, when the profile is one of parts; None when whole iterations were timed.
    notes : tuple of str
        How it was read: what was assumed, merged and left out.
    """

    gpu: str
    model: str
    tensor_parallel: int
    formats: tuple[str, ...]
    iterations: pd.DataFrame
    kernels: Kernels | None = None
    notes: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """Name for tables."""
        return f"{self.model} on {self.gpu}, TP{self.tensor_parallel}"
