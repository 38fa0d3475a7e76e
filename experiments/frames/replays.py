"""``orsched validate vllm-logs`` as a call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.notebook import frames_html
from experiments.orders.arguments import taken
from experiments.orders.replaying import replays_order
from experiments.orders.values import require_counts

if TYPE_CHECKING:
    import pandas as pd

    from orsched.catalogue import Hardware


class ReplayFrames(NamedTuple):
    """Measured runs beside their simulation.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row per run: run, server, hardware, hardware_kind, the settings of the engine, requests,
        simulated_preemptions, simulated_iterations, calibrated, warnings.
    verdicts : pandas.DataFrame
        One row per run and metric (ttft, tpot, latency), on its mean: error (signed, a fraction), error_low and
        error_high (95%), target, met, published_error, mean_absolute_error_s, correlation.
    metrics : pandas.DataFrame
        One row per run, metric and statistic: measured_s and simulated_s (seconds), error; of means also target and
        published_error.
    curves : pandas.DataFrame
        One row per run, second and quantity: t_s, measured and simulated (requests, or a share of the KV memory).
    assumptions : pandas.DataFrame
        One row per run, other assumption about the engine and metric: error; empty unless they were asked for.
    """

    runs: pd.DataFrame
    verdicts: pd.DataFrame
    metrics: pd.DataFrame
    curves: pd.DataFrame
    assumptions: pd.DataFrame

    def _repr_html_(self) -> str:
        return frames_html({"runs": self.runs, "verdicts": self.verdicts, "metrics": self.metrics})


@taken
def validate_vllm_logs(
    *,
    log: str | Path | None = None,
    hardware: str | Path | Hardware | None = None,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    num_gpu_blocks: int | None = None,
    block_size: int | None = None,
    data_parallel: int | None = None,
    expert_parallel: bool | None = None,
    prefix_caching: bool | None = None,
    alternatives: bool = False,
) -> ReplayFrames:
    """Replay measured vLLM runs: TTFT, TPOT, latency and curves over time, measured beside simulated.

    Parameters
    ----------
    log : str or Path, optional
        A request log (``.csv``, ``.csv.gz``, ``.parquet``, ``.jsonl``) in place of the bundled runs.
    hardware : str, Path or Hardware, optional
        With `log`, which needs it: what stands for the server.
    max_num_seqs, max_num_batched_tokens : int, optional
        With `log`, which needs them: the engine's most running requests and its token budget, per rank.
    num_gpu_blocks, block_size : int, optional
        Its KV blocks, per rank (by default the capacity of the hardware), and tokens in one (16).
    data_parallel : int, optional
        Data-parallel ranks, by default 1.
    expert_parallel : bool, optional
        The ranks share experts and iterate together; by default they do not.
    prefix_caching : bool, optional
        Whether preempted KV may be found again; by default yes.
    alternatives : bool
        Also replay under other assumptions about the engine.

    Returns
    -------
    ReplayFrames
        Runs, verdicts, metrics, curves and other assumptions; ``verdicts.attrs`` counts the targets met.

    Raises
    ------
    InputError
        As ``orsched validate vllm-logs`` for the same options.
    """
    from experiments.validation import report
    from experiments.validation.vllm_logs import document

    require_counts(max_num_seqs=max_num_seqs, max_num_batched_tokens=max_num_batched_tokens, block_size=block_size)
    require_counts(2, num_gpu_blocks=num_gpu_blocks)
    require_counts(1, 1024, data_parallel=data_parallel)
    settings = {
        "max_num_seqs": max_num_seqs,
        "max_num_batched_tokens": max_num_batched_tokens,
        "num_gpu_blocks": num_gpu_blocks,
        "block_size": block_size,
        "data_parallel": data_parallel,
        "expert_parallel": expert_parallel,
        "prefix_caching": prefix_caching,
    }
    found = replays_order(log, hardware, settings, alternatives=alternatives)
    verdicts = report.verdicts_frame(found)
    verdicts.attrs.update((key, value) for key, value in document(found).items() if key != "runs")
    return ReplayFrames(
        report.runs_frame(found),
        verdicts,
        report.metrics_frame(found),
        report.curves_frame(found).astype({"measured": "float64"}),
        report.assumptions_frame(found),
    )
