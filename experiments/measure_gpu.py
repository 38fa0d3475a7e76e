"""Measure iteration times of a decoder stack on the GPU at hand and write them as an iteration profile.

``python -m experiments.measure_gpu --model llama3-8b --out profile.csv``; ``--dry-run`` prints the plan and measures
nothing. The file needs Python and torch only: copy it to the machine with the GPU and give the shape by options. What
is timed, and how it differs from a serving engine, is in docs/measure-a-gpu.md. Clocks and power are read, never set.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import io
import itertools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

COLUMNS = (
    *("gpu", "model", "tensor_parallel", "prefill_tokens", "prefill_past_kv_tokens", "decode_requests"),
    *("kv_tokens_per_decode", "iteration_s"),
)
"""Columns of the profile. ``kv_tokens_per_decode`` are cached before the iteration; the new token is read on top."""

REGIMES = ("decode", "prefill", "chunked", "mixed")
DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}

_FLUSH_BYTES = 1 << 28  # written between iterations; compare with L2_cache_size in the JSON
_MOST = 10**9  # a number that an option may have
_PATIENCE_S = 10.0  # for nvidia-smi
_SPARE = 0.92  # share of the free memory that weights, cache and activations may take
_DEVICE = ("name", "multi_processor_count", "total_memory", "L2_cache_size", "major", "minor")
_READ = "driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.draw,power.limit,temperature.gpu"


class Refusal(Exception):
    """Something this script cannot do; ends in one line and exit code 2."""


class Point(NamedTuple):
    """An iteration: a prompt chunk of `prompt` tokens after `past` cached ones, and `requests` decodes of `context`."""

    prompt: int
    past: int
    requests: int
    context: int

    def __str__(self) -> str:
        return f"{self.regime} {self.prompt}+{self.past} beside {self.requests} x {self.context}"

    @property
    def regime(self) -> str:
        """Name of the regime, one of `REGIMES`."""
        if self.requests:
            return "mixed" if self.prompt else "decode"
        return "chunked" if self.past else "prefill"

    @property
    def tokens(self) -> int:
        """Tokens that go through the layers."""
        return self.prompt + self.requests

    @property
    def outputs(self) -> int:
        """Sequences that get a token."""
        return self.requests + (self.prompt > 0)

    @property
    def cached(self) -> int:
        """Tokens in the cache after the iteration."""
        return self.past + self.prompt + self.requests * (self.context + 1)


@dataclass(frozen=True)
class Shape:
    """Shape of a dense decoder with a gated feed-forward network."""

    layers: int
    hidden: int
    q_heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int

    def needed_bytes(self, point: Point, layers: int, item: int) -> int:
        """Bytes of weights, cache and activations when `layers` layers are held and a number takes `item` bytes."""
        layer = 2 * self.hidden * (self.q_heads + self.kv_heads) * self.head_dim + 3 * self.hidden * self.ffn
        weights = layers * layer + 2 * self.vocab * self.hidden
        cache = layers * 2 * self.kv_heads * self.head_dim * point.cached
        width = 8 * self.hidden + 4 * (self.q_heads + 2 * self.kv_heads) * self.head_dim + 4 * self.ffn
        return item * (weights + cache + point.tokens * width + 2 * point.outputs * self.vocab)


def grid(options: argparse.Namespace) -> list[Point]:
    """Return the points of the chosen regimes, without repeats, sorted."""
    chunks = tuple(itertools.product(options.chunks, options.pasts))
    beside = tuple(itertools.product(options.mixed_requests, options.mixed_contexts))
    found = {
        *(Point(0, 0, *decodes) for decodes in itertools.product(options.requests, options.contexts)),
        *(Point(prompt, 0, 0, 0) for prompt in options.prompts),
        *(Point(*chunk, 0, 0) for chunk in chunks if chunk[1]),
        *(Point(*chunk, *decodes) for chunk in chunks for decodes in beside),
    }
    return sorted(point for point in found if point.regime in options.regimes)


class Stack:
    """The decoder on a device: random weights, one cache buffer per layer, and an iteration in two regions.

    Parameters
    ----------
    torch : module
        Imported by the caller: this file can be read without it.
    shape : Shape
        The model.
    cache_tokens : int
        Tokens that the cache of a layer holds.
    options : Namespace
        ``held_layers`` (layers that are held and run), ``device``, ``dtype`` and ``seed``.
    """

    def __init__(self, torch: Any, shape: Shape, cache_tokens: int, options: argparse.Namespace) -> None:
        self.torch, self.shape, self.device = torch, shape, options.device
        self.functional = importlib.import_module("torch.nn.functional")
        self.lower_right = importlib.import_module("torch.nn.attention.bias").causal_lower_right
        self.dtype = getattr(torch, options.dtype)
        self.draws = torch.Generator(device=options.device).manual_seed(options.seed)
        q_wide, kv_wide = shape.q_heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.embedding = self._random(shape.vocab, shape.hidden)
        self.head = self._random(shape.vocab, shape.hidden)
        self.norm = torch.ones(shape.hidden, device=self.device, dtype=self.dtype)
        projections = [(q_wide + 2 * kv_wide, shape.hidden), (shape.hidden, q_wide)]
        network = [(2 * shape.ffn, shape.hidden), (shape.hidden, shape.ffn)]
        cache = (cache_tokens, shape.kv_heads, shape.head_dim)
        sizes = (*projections, *network, cache, cache)
        self.layers = [[self._random(*size) for size in sizes] for _ in range(options.held_layers)]

    def _random(self, *size: int) -> Any:
        made = self.torch.empty(size, device=self.device, dtype=self.dtype)
        return made.normal_(0.0, 0.02, generator=self.draws)

    def ids(self, tokens: int) -> Any:
        """Random token ids, shape ``(tokens,)``."""
        return self.torch.randint(self.shape.vocab, (tokens,), device=self.device, generator=self.draws)

    def ends(self, ids: Any, hidden: Any, outputs: int) -> Any:
        """Embed `ids` into the buffer `hidden`; norm and head of its last `outputs` rows, and their argmax."""
        hidden.copy_(self.functional.embedding(ids, self.embedding))
        last = self._normed(hidden[hidden.shape[0] - outputs :])
        return self.functional.linear(last, self.head).argmax(-1)

    def rotations(self, point: Point) -> tuple[Any, Any]:
        """Cosines and sines of the rotary positions of all tokens, each of shape ``(tokens, 1, head_dim)``."""
        torch, half = self.torch, self.shape.head_dim // 2
        prompt = torch.arange(point.past, point.past + point.prompt, device=self.device)
        decodes = torch.full((point.requests,), point.context, device=self.device)
        rates = 1e4 ** (-torch.arange(half, device=self.device, dtype=torch.float32) / half)
        angles = torch.cat([prompt, decodes]).float()[:, None, None] * rates.repeat(2)
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)

    def body(self, point: Point, hidden: Any, rotations: tuple[Any, Any]) -> Any:
        """Run the held layers on `hidden`, shape ``(tokens, hidden)``: first the prompt's tokens, then the decodes'."""
        for qkv, out, up, down, keys, values in self.layers:
            q, k, v = self._before(hidden, qkv, *rotations)
            hidden = self._after(hidden, self._attended(point, q, k, v, keys, values), out, up, down)
        return hidden

    def _normed(self, hidden: Any) -> Any:
        return self.functional.rms_norm(hidden, (self.shape.hidden,), self.norm, 1e-5)

    def _before(self, hidden: Any, qkv: Any, cosines: Any, sines: Any) -> tuple[Any, Any, Any]:
        heads, turning = self.shape.q_heads, self.shape.q_heads + self.shape.kv_heads
        wide = self.functional.linear(self._normed(hidden), qkv).view(hidden.shape[0], -1, self.shape.head_dim)
        low, high = wide[:, :turning].chunk(2, dim=-1)
        turned = wide[:, :turning] * cosines + self.torch.cat([-high, low], dim=-1) * sines
        return turned[:, :heads], turned[:, heads:], wide[:, turning:]

    def _attended(self, point: Point, q: Any, k: Any, v: Any, keys: Any, values: Any) -> Any:
        """Append to the cache and attend: the chunk's tokens lie first in it, then each decode's in one piece."""
        prompt, end, parts = point.prompt, point.past + point.prompt, []
        if prompt:
            keys[point.past : end], values[point.past : end] = k[:prompt], v[:prompt]
            seen = [cache[:end].transpose(0, 1)[None] for cache in (keys, values)]
            how = {"attn_mask": self.lower_right(prompt, end)} if point.past else {"is_causal": True}
            parts.append(self._sdpa(q[:prompt].transpose(0, 1)[None], *seen, **how)[0].transpose(0, 1))
        if point.requests:
            own = (point.requests, point.context + 1, self.shape.kv_heads, self.shape.head_dim)
            seen = [cache[end : end + own[0] * own[1]].view(own) for cache in (keys, values)]
            seen[0][:, point.context], seen[1][:, point.context] = k[prompt:], v[prompt:]
            parts.append(self._sdpa(q[prompt:, :, None], *(cache.transpose(1, 2) for cache in seen))[:, :, 0])
        return parts[0] if len(parts) == 1 else self.torch.cat(parts)

    def _sdpa(self, q: Any, k: Any, v: Any, **how: Any) -> Any:
        grouped = self.shape.q_heads != self.shape.kv_heads
        return self.functional.scaled_dot_product_attention(q, k, v, enable_gqa=grouped, **how)

    def _after(self, hidden: Any, attended: Any, out: Any, up: Any, down: Any) -> Any:
        linear = self.functional.linear
        hidden = hidden + linear(attended.reshape(hidden.shape[0], -1), out)
        gate, wide = linear(self._normed(hidden), up).chunk(2, dim=-1)
        return hidden + linear(self.functional.silu(gate) * wide, down)


def times_s(torch: Any, stack: Stack, point: Point, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Time a point: seconds of embedding with head and of the held layers, a pair per repetition."""
    ids, rotations = stack.ids(point.tokens), stack.rotations(point)
    hidden = torch.empty(point.tokens, stack.shape.hidden, device=stack.device, dtype=stack.dtype)
    stack.ends(ids, hidden, point.outputs)
    if not torch.isfinite(stack.body(point, hidden, rotations)).all().item():
        raise Refusal(f"{point}: the stack gave a number that is not finite, so nothing it times can be trusted")
    regions = [lambda: stack.ends(ids, hidden, point.outputs), lambda: stack.body(point, hidden, rotations)]
    once: Callable[..., tuple[float, float]] = _by_clock
    if stack.device != "cpu":
        flush = torch.empty(_FLUSH_BYTES, dtype=torch.uint8, device=stack.device)
        if options.cuda_graphs == "all" or options.cuda_graphs == point.regime:
            regions = [_captured(torch, region) for region in regions]
        once = partial(_by_events, torch, flush)
    return [once(regions) for _ in range(options.warm_up + options.repetitions)][options.warm_up :]


def _captured(torch: Any, region: Callable[[], Any]) -> Callable[[], Any]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # allocates what a capture must not
        region()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        region()
    return graph.replay  # type: ignore[no-any-return]


def _by_events(torch: Any, flush: Any, regions: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    first, second, third = (torch.cuda.Event(enable_timing=True) for _ in range(3))
    flush.zero_()
    first.record()
    regions[0]()
    second.record()
    regions[1]()
    third.record()
    torch.cuda.synchronize()
    return first.elapsed_time(second) / 1e3, second.elapsed_time(third) / 1e3


def _by_clock(regions: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    start = time.perf_counter()
    regions[0]()
    middle = time.perf_counter()
    regions[1]()
    return middle - start, time.perf_counter() - middle


def nvidia_smi(uuid: object) -> dict[str, str]:
    """Read clocks, power and temperature of a GPU; empty where nvidia-smi does not tell. Nothing is ever set."""
    query = ["nvidia-smi", f"--id=GPU-{uuid}", f"--query-gpu={_READ}", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, timeout=_PATIENCE_S, check=True).stdout.decode(
            errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(_READ.split(","), (value.strip() for value in said.split(",")), strict=False))


def write_profile(path: Path, labels: Sequence[object], measured: dict[Point, list[float]], about: Any) -> None:
    """Write the medians to `path`, and `about` with the spread of each point to the ``.json`` beside it.

    `labels` are gpu, model and tensor-parallel degree; `measured` the seconds of each repetition. Each file is there
    whole or not at all.
    """
    table, points = io.StringIO(), []
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for point, seconds in sorted(measured.items()):
        low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
        rows.writerow([*labels, *point, f"{median:.9g}"])
        points.append({**point._asdict(), "median_s": median, "quartile_1_s": low, "quartile_3_s": high})
    described = json.dumps({**about, "points": points}, indent=1, default=str, allow_nan=False) + "\n"
    for file, text in ((path.with_suffix(".json"), described), (path, table.getvalue())):
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)


def measure(torch: Any, shape: Shape, points: list[Point], skipped: dict[str, str], options: Any) -> None:
    """Measure `points` in random order; the files are written anew after each, so that a stop loses nothing."""
    device = torch.cuda.get_device_properties(0) if options.device == "cuda" else None
    about = {
        "device": {name: getattr(device, name, None) for name in _DEVICE} if device else {"name": "cpu"},
        "versions": {"torch": torch.__version__, "cuda": torch.version.cuda, "python": sys.version.split()[0]},
        "shape": asdict(shape),
        "layers_measured": options.held_layers,
        "scaled": "embedding and head once, plus the layers' time times layers / layers_measured",
        "settings": {key: value for key, value in vars(options).items() if key not in asdict(shape)},
        "readings": [nvidia_smi(device.uuid)] if device else [],
        "skipped": skipped,
        "complete": False,
    }
    labels = (device.name if device else "cpu", options.model, 1)
    stack = Stack(torch, shape, max(point.cached for point in points), options)
    measured: dict[Point, list[float]] = {}
    for count, point in enumerate(random.Random(options.seed).sample(points, len(points)), 1):
        try:
            pairs = times_s(torch, stack, point, options)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            skipped[str(point)] = said = "out of memory"
        else:
            measured[point] = [ends + body * shape.layers / options.held_layers for ends, body in pairs]
            said = f"{1e3 * statistics.median(measured[point]):.3f} ms"
        sys.stderr.write(f"{count}/{len(points)} {point}: {said}\n")
        if device and count in (1, len(points)):
            about["readings"].append(nvidia_smi(device.uuid))
        about["complete"] = count == len(points)
        write_profile(options.out, labels, measured, about)


def shape_of(options: argparse.Namespace) -> Shape:
    """Take the shape from the options; what they leave open from orsched's catalogue of models, where installed."""
    given = {field.name: getattr(options, field.name) for field in fields(Shape)}
    if None in given.values():
        try:
            from orsched.devices import model_config

            known = model_config(options.model)
        except ImportError:
            missing = ", ".join(f"--{name.replace('_', '-')}" for name, value in given.items() if value is None)
            raise Refusal(f"orsched is not installed here to look up --model {options.model}: give {missing}") from None
        except ValueError as error:
            raise Refusal(f"--model: {error}") from None
        if known.experts or known.latent or not known.gated:
            raise Refusal(f"--model {options.model}: only dense models with a gated network and KV heads are measured")
        given = {name: getattr(known, name) if value is None else value for name, value in given.items()}
    shape = Shape(**given)
    if shape.q_heads % shape.kv_heads or shape.head_dim % 8:
        raise Refusal(f"{shape}: kv_heads must divide q_heads, and 8 head_dim (the flash kernel needs it)")
    if (options.held_layers or 1) > shape.layers:
        raise Refusal(f"--held-layers {options.held_layers}: the model has {shape.layers} layers")
    return shape


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or Python says so; torch's own class does not cover captures and the CPU."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in said for sign in ("out of memory", "can't allocate memory"))


def _available_bytes() -> float:
    """Memory of the machine that is free for use; infinite where it does not say (no Linux)."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024.0 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    return math.inf


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(message)


def _number(text: str, least: int = 1) -> int:
    if not text.strip().isdecimal() or len(text) > 10 or not least <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} must be a whole number of at least {least}, at most {_MOST}")
    return int(text)


def _numbers(text: str, least: int = 1) -> tuple[int, ...]:
    return tuple(_number(part, least) for part in text.split(","))


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    defaults = argparse.ArgumentDefaultsHelpFormatter
    made = _Parser(prog="measure_gpu", description=(__doc__ or "").split("\n\n")[0], formatter_class=defaults)
    add = made.add_argument
    add("--model", default="llama3-8b", help="name in the profile; its shape is looked up in orsched if installed")
    for field in fields(Shape):
        add(f"--{field.name.replace('_', '-')}", type=_number, help="shape, instead of the one looked up")
    add("--out", type=Path, default="profile.csv", help="the profile; how it was measured goes to the .json beside it")
    add("--dry-run", action="store_true", help="print the plan and measure nothing")
    add("--device", choices=("cuda", "cpu"), default="cuda", help="cpu is for trying the script with a tiny shape")
    add("--dtype", choices=tuple(DTYPE_BYTES), default="bfloat16", help="of weights, cache and activations")
    add("--regimes", nargs="+", choices=REGIMES, default=REGIMES, help="kinds of batches")
    add("--requests", type=_numbers, default="1,2,4,8,16,32,64,128,256", help="decode: requests in the batch")
    add("--contexts", type=_numbers, default="128,512,1024,2048,4096,8192,16384", help="decode: cached tokens of each")
    add("--prompts", type=_numbers, default="16,32,64,128,256,512,1024,2048,4096,8192", help="prefill: prompt tokens")
    add("--chunks", type=_numbers, default="128,512,2048", help="chunked and mixed: prompt tokens")
    add(
        "--pasts",
        type=partial(_numbers, least=0),
        default="0,512,2048,8192",
        help="chunked and mixed: tokens cached before the chunk",
    )
    add("--mixed-requests", type=_numbers, default="4,32,128", help="mixed: decodes beside the chunk")
    add("--mixed-contexts", type=_numbers, default="512,2048,8192", help="mixed: cached tokens of each decode")
    add("--held-layers", type=_number, help="hold and time so many layers and scale to all; all if not given")
    add("--cuda-graphs", choices=("all", "decode", "none"), default="all", help="batches replayed as a CUDA graph")
    add("--warm-up", type=_number, default=3, help="iterations before the timed ones")
    add("--repetitions", type=_number, default=20, help="timed iterations of a point")
    add("--memory-gib", type=_number, help="memory to plan for; at most, and if not given, what is free on the device")
    add("--seed", type=partial(_number, least=0), default=0, help="of weights, tokens and the order of points")
    return made


def run(arguments: Sequence[str]) -> None:
    """Plan or measure.

    Raises
    ------
    Refusal
        Without torch, without a GPU, or for options that cannot be met.
    """
    options = parser().parse_args(arguments)
    shape = shape_of(options)
    options.held_layers = options.held_layers or shape.layers
    if options.repetitions < 2:
        raise Refusal("--repetitions 1: a spread needs at least 2")
    taken = any(file.is_dir() for file in (options.out, options.out.with_suffix(".json")))
    if taken or options.out.suffix != ".csv" or not options.out.resolve().parent.is_dir():
        raise Refusal(
            f"--out {options.out}: must end in .csv, be in a folder that exists, and be (.json too) no folder"
        )
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        torch = None
    has_gpu = torch is not None and options.device == "cuda" and torch.cuda.is_available()
    memory = math.inf if options.memory_gib is None else options.memory_gib * 2**30
    if has_gpu:
        memory = min(memory, torch.cuda.mem_get_info()[0] - _FLUSH_BYTES)
    elif options.device == "cpu":
        memory = min(memory, _available_bytes())
    needed = {p: shape.needed_bytes(p, options.held_layers, DTYPE_BYTES[options.dtype]) for p in grid(options)}
    skipped = {str(p): f"needs {n / 2**30:.1f} GiB" for p, n in needed.items() if n > _SPARE * memory}
    points = [point for point in needed if str(point) not in skipped]
    if options.dry_run:
        counts = ", ".join(f"{name} {sum(point.regime == name for point in points)}" for name in REGIMES)
        largest = max((needed[point] for point in points), default=0) / 2**30
        unknown = "memory unknown: no point is left out for it (--memory-gib)\n" if memory == math.inf else ""
        found = "no torch here" if torch is None else f"torch {torch.__version__} and {'a' if has_gpu else 'no'} GPU"
        sys.stdout.write(
            f"{options.model}: {shape}, {options.dtype}; {options.held_layers} of {shape.layers} layers held\n"
            f"grid points: {len(points)} ({counts})\n"
            f"largest point: {largest:.1f} GiB of weights, cache and activations\n{unknown}"
            + "".join(f"skipped {point}: {why}\n" for point, why in skipped.items())
            + f"{found}; nothing was measured\n"
        )
        return
    if torch is None:
        raise Refusal("torch is not installed here; --dry-run prints the plan without it")
    if options.device == "cuda" and not has_gpu:
        raise Refusal("torch finds no GPU here; --dry-run prints the plan without one")
    if has_gpu and (options.dtype == "float32" or shape.head_dim > 256):
        raise Refusal("the flash kernel takes --dtype bfloat16 or float16, and heads of at most 256")
    if not points:
        raise Refusal("no point of the grid fits in memory; hold fewer layers with --held-layers")
    tempfile.TemporaryFile(dir=options.out.resolve().parent).close()  # fails now, not after the first point
    attention = importlib.import_module("torch.nn.attention")
    kernel = attention.sdpa_kernel(attention.SDPBackend.FLASH_ATTENTION) if has_gpu else contextlib.nullcontext()
    with torch.inference_mode(), kernel:
        measure(torch, shape, points, skipped, options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns 0 when done, 2 when it cannot be done and 130 when stopped (one line on stderr)."""
    try:
        run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        said, code = "interrupted; the files hold what was measured before", 130
    except (Refusal, OSError, RuntimeError, MemoryError) as error:
        full = _out_of_memory(error)
        if not full and not isinstance(error, (Refusal, OSError)):
            raise
        said, code = "out of memory; plan for less with --memory-gib or --held-layers" if full else str(error), 2
    else:
        return 0
    sys.stderr.write(f"measure_gpu: {' '.join(said.split())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
