"""``orsched calibrate`` as a call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.arguments import taken
from experiments.orders.values import require_counts
from orsched.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_PathLike = str | Path


@taken
def calibrate(
    profile: _PathLike | Iterable[_PathLike],
    *,
    form: str = "hinged",
    out: _PathLike | None = None,
    gpu: str | None = None,
    model: str | None = None,
    tensor_parallel: int | None = None,
    layers: int | None = None,
    model_file: _PathLike | None = None,
    ranks: int = 1,
    collectives_gpu: str | None = None,
    name: str | None = None,
    kv_capacity_tokens: int | None = None,
    memory_gb: float | None = None,
    max_num_seqs: int = 256,
    block_tokens: int = 16,
    max_error: float = 0.15,
    accept_error: bool = False,
    leave_out: str | None = None,
    points: _PathLike | None = None,
    max_num_batched_tokens: int = 2048,
    num_gpu_blocks: int | None = None,
    plot: _PathLike | None = None,
    source: str = "",
    licence: str = "",
) -> pd.DataFrame:
    """Fit a service model to measured iteration times.

    Parameters
    ----------
    profile : str, Path or several
        Profiles (``.csv``, ``.csv.gz``, ``.parquet``) that belong together.
    form : str
        affine, hinged or tabulated.
    out : str or Path, optional
        Write the hardware file (``.toml``), which every ``hardware=`` takes.
    gpu, model : str, optional
        Group, where the files hold several or tell none.
    tensor_parallel : int, optional
        GPUs that share each layer.
    layers, model_file : int, str or Path, optional
        Layers, or shape (``.toml``), of a model that orsched does not know.
    ranks : int
        Data-parallel ranks that share the experts of every layer.
    collectives_gpu : str, optional
        GPU whose collectives stand in for this one's.
    name : str, optional
        Name of the entry; by default ``model/gpu[-tpN]``.
    kv_capacity_tokens : int, optional
        KV tokens of an instance; by default from the GPU's memory.
    memory_gb : float, optional
        Memory of one GPU, 1e9 bytes; by default its data sheet's.
    max_num_seqs, block_tokens : int
        Most running requests; tokens of a KV block.
    max_error, accept_error : float, bool
        Refuse a mean relative error above this in any regime, or accept it and record that.
    leave_out : str, optional
        gpu, model or tensor-parallel: predict each from the others instead.
    points : str or Path, optional
        Fit the overhead of an iteration to a request log or to TTFT/TPOT points.
    max_num_batched_tokens, num_gpu_blocks : int, optional
        With `points`: token budget of the engine, and its KV blocks per rank.
    plot : str or Path, optional
        Draw measured against model (``.png``, ``.svg``, ``.pdf``).
    source, licence : str
        Of the profile, for the entry.

    Returns
    -------
    pandas.DataFrame
        One row per regime and cross-check: kind, name, points, mape, p95_ape, comment; the form, its coefficients (SI
        units), KV capacity, overhead and notes in ``attrs``. With `leave_out` one row per group and regime: group,
        fitted_to_groups, bias, regime, points, mape, p95_ape. Errors are fractions.

    Raises
    ------
    InputError
        As ``orsched calibrate`` for the same options.
    """
    from experiments.calibration.delivery import Delivery
    from experiments.calibration.frames import left_out_frame
    from experiments.calibration.order import Order, left_out

    require_counts(
        tensor_parallel=tensor_parallel,
        layers=layers,
        ranks=ranks,
        kv_capacity_tokens=kv_capacity_tokens,
        max_num_seqs=max_num_seqs,
        block_tokens=block_tokens,
        max_num_batched_tokens=max_num_batched_tokens,
    )
    require_counts(2, num_gpu_blocks=num_gpu_blocks)
    files = tuple(map(Path, [profile] if isinstance(profile, _PathLike) else profile))
    if not files:
        raise InputError("profile = (): must be at least one file")
    order = Order(
        files=files,
        form=form,
        gpu=gpu,
        model=model,
        tensor_parallel=tensor_parallel,
        layers=layers,
        model_file=_path(model_file),
        ranks=ranks,
        collectives_gpu=collectives_gpu,
        name=name,
        kv_capacity_tokens=kv_capacity_tokens,
        memory_gb=memory_gb,
        max_num_seqs=max_num_seqs,
        block_tokens=block_tokens,
        most_error=max_error,
        accept_error=accept_error,
        source=source,
        licence=licence,
    )
    delivery = Delivery(_path(out), _path(plot), _path(points), max_num_batched_tokens, num_gpu_blocks)
    delivery.require_possible()
    if leave_out is not None:
        return left_out_frame(left_out(order, leave_out), leave_out)
    return delivery.carry_out(order).frame()


def _path(given: _PathLike | None) -> Path | None:
    return None if given is None else Path(given)
