"""``orsched calibrate``: from a profile to a hardware file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json


def calibrate(
    profile: Annotated[list[Path], typer.Argument(help="Profiles (.csv, .csv.gz, .parquet) that belong together.")],
    form: Annotated[str, typer.Option("--form", help="affine, hinged or tabulated.")] = "hinged",
    out: Annotated[Path | None, typer.Option("--out", help="Write the hardware file (.toml).")] = None,
    gpu: Annotated[str | None, typer.Option("--gpu", help="GPU, where the files hold several.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model, where the files hold several or tell none.")
    ] = None,
    tensor_parallel: Annotated[
        int | None, typer.Option("--tensor-parallel", min=1, help="GPUs that share each layer.")
    ] = None,
    layers: Annotated[
        int | None, typer.Option("--layers", min=1, help="Layers of a model orsched does not know.")
    ] = None,
    model_file: Annotated[
        Path | None, typer.Option("--model-file", help="Shape of a model orsched does not know (.toml).")
    ] = None,
    ranks: Annotated[
        int, typer.Option("--ranks", min=1, help="Data-parallel ranks that share the experts of every layer.")
    ] = 1,
    collectives_gpu: Annotated[
        str | None, typer.Option("--collectives-gpu", help="GPU whose collectives stand in for this one's.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the entry. Default: model/gpu[-tpN].")] = None,
    kv_capacity_tokens: Annotated[
        int | None,
        typer.Option("--kv-capacity-tokens", min=1, help="KV tokens of an instance. Default: from the GPU's memory."),
    ] = None,
    memory_gb: Annotated[
        float | None, typer.Option("--memory-gb", help="Memory of one GPU, 1e9 bytes. Default: its data sheet's.")
    ] = None,
    max_num_seqs: Annotated[int, typer.Option("--max-num-seqs", min=1, help="Most running requests.")] = 256,
    block_tokens: Annotated[int, typer.Option("--block-tokens", min=1, help="Tokens of a KV block.")] = 16,
    max_error: Annotated[
        float, typer.Option("--max-error", help="Refuse a mean relative error above this in any regime.")
    ] = 0.15,
    accept_error: Annotated[
        bool, typer.Option("--accept-error", help="Accept a larger error; the entry records it.")
    ] = False,
    leave_out: Annotated[
        str | None,
        typer.Option("--leave-out", help="gpu, model or tensor-parallel: predict each from the others instead."),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option("--points", help="Fit the overhead of an iteration to a request log or to TTFT/TPOT points."),
    ] = None,
    max_num_batched_tokens: Annotated[
        int, typer.Option("--max-num-batched-tokens", min=1, help="With --points: token budget of the engine.")
    ] = 2048,
    num_gpu_blocks: Annotated[
        int | None, typer.Option("--num-gpu-blocks", min=2, help="With --points: KV blocks of the engine, per rank.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw measured against model (.png, .svg, .pdf).")] = None,
    source: Annotated[str, typer.Option("--source", help="Where the profile comes from, for the entry.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Licence of the profile, for the entry.")] = "",
    as_json: options.Json = False,
) -> None:
    """Fit a service model to measured iteration times: errors by regime, a hardware file, residuals."""
    from experiments.calibration.delivery import Delivery
    from experiments.calibration.order import Order, left_out
    from experiments.render import calibration as render

    order = Order(
        files=tuple(profile),
        form=form,
        gpu=gpu,
        model=model,
        tensor_parallel=tensor_parallel,
        layers=layers,
        model_file=model_file,
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
    delivery = Delivery(out, plot, points, max_num_batched_tokens, num_gpu_blocks)
    delivery.require_possible()
    if leave_out is not None:
        rows = left_out(order, leave_out)
        if as_json:
            print_json(render.left_out_document(rows, leave_out))
        else:
            output_console().print(render.left_out_table(rows, leave_out))
        return
    outcome = delivery.carry_out(order)
    errors = error_console()
    for note in (*outcome.profile.notes, *outcome.found.notes):
        errors.out(f"note: {note}", highlight=False)
    if as_json:
        print_json(render.calibration_document(outcome))
    else:
        output_console().print(render.calibration_table(outcome))
