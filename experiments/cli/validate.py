"""``orsched validate``: simulations beside what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.validate_batch_times import batch_times
from experiments.cli.validate_silicon import silicon

validate = typer.Typer(help="Hold simulations against measurements.", no_args_is_help=True)

Hardware = Annotated[
    str | None, typer.Option("--hardware", help="With --log: a name from `orsched list hardware`, or a .toml file.")
]
Log = Annotated[
    Path | None,
    typer.Option("--log", help="A request log (.csv, .csv.gz, .parquet, .jsonl) in place of the bundled runs."),
]
MaxNumSeqs = Annotated[
    int | None, typer.Option("--max-num-seqs", min=1, help="With --log: the engine's most running requests, per rank.")
]
MaxNumBatchedTokens = Annotated[
    int | None,
    typer.Option("--max-num-batched-tokens", min=1, help="With --log: its token budget of an iteration, per rank."),
]
NumGpuBlocks = Annotated[
    int | None,
    typer.Option("--num-gpu-blocks", min=2, help="Its KV blocks, per rank. Default: the capacity of the hardware."),
]
BlockSize = Annotated[int | None, typer.Option("--block-size", min=1, help="Tokens in a KV block. Default: 16.")]
DataParallel = Annotated[
    int | None, typer.Option("--data-parallel", min=1, max=1024, help="Data-parallel ranks. Default: 1.")
]
ExpertParallel = Annotated[
    bool | None,
    typer.Option(
        "--expert-parallel/--no-expert-parallel",
        help="The ranks share experts and iterate together; the hardware stands for all. Default: they do not.",
    ),
]
PrefixCaching = Annotated[
    bool | None,
    typer.Option("--prefix-caching/--no-prefix-caching", help="Whether preempted KV may be found again. Default: yes."),
]
Alternatives = Annotated[
    bool, typer.Option("--alternatives", help="Also replay under other assumptions about the engine.")
]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw the curves over time: a .png or .svg file.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write metrics.csv, curves.csv and curves.png to a folder.")]


validate.command("silicon")(silicon)
validate.command("batch-times")(batch_times)


@validate.callback()
def _group() -> None:
    pass


@validate.command("vllm-logs")
def vllm_logs(
    log: Log = None,
    hardware: Hardware = None,
    max_num_seqs: MaxNumSeqs = None,
    max_num_batched_tokens: MaxNumBatchedTokens = None,
    num_gpu_blocks: NumGpuBlocks = None,
    block_size: BlockSize = None,
    data_parallel: DataParallel = None,
    expert_parallel: ExpertParallel = None,
    prefix_caching: PrefixCaching = None,
    alternatives: Alternatives = False,
    plot: Plot = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Replay measured vLLM runs: TTFT, TPOT, latency and curves over time, measured beside simulated.

    Without --log: three bundled runs with their targets. With --log: any request log, on any hardware entry.
    """
    from experiments.orders.replaying import replays_order
    from experiments.progress import progress_bar
    from experiments.render.files import require_writable
    from experiments.validation.figure import ENDINGS, write_figure
    from experiments.validation.report import to_rich, write_tables
    from experiments.validation.runs import bundled_runs
    from experiments.validation.vllm_logs import document

    figures = [path for path in (plot, None if out is None else out / "curves.png") if path is not None]
    for path in figures:
        require_writable(path, ENDINGS)
    settings = {
        "max_num_seqs": max_num_seqs,
        "max_num_batched_tokens": max_num_batched_tokens,
        "num_gpu_blocks": num_gpu_blocks,
        "block_size": block_size,
        "data_parallel": data_parallel,
        "expert_parallel": expert_parallel,
        "prefix_caching": prefix_caching,
    }
    errors = error_console()
    runs = len(bundled_runs()) if log is None else 1
    with progress_bar(errors, "runs", runs) as advance:
        found = replays_order(log, hardware, settings, alternatives=alternatives, on_run_done=advance)
    written = list(figures) if out is None else [*figures, *write_tables(found, out)]
    for path in figures:
        write_figure(found, path)
    for path in written:
        errors.out(f"wrote {path}", highlight=False)
    if as_json:
        for warning in (warning for validation in found for warning in validation.warnings):
            errors.out(f"warning: {warning}", highlight=False)
        print_json(document(found))
    else:
        output_console().print(to_rich(found))
