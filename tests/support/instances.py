"""Small random instances and the list of every policy, shared by the property and conformance tests."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from orsched import Fleet, Hardware, Policy, Workload
from orsched.devices import chip, model_config
from orsched.errors import InputError
from orsched.service import Affine, Curve, Grid, Hinged, Lockstep, Tabulated
from orsched.service.roofline import Roofline
from orsched.work import Floats
from policies import RECIPES, ROUTERS
from policies.sarathi import sarathi
from policies.vllm_v0 import vllm_v0
from policies.vllm_v1 import vllm_v1

AFFINE = Affine(0.012, 60e-6, 50e-6, 0.12e-6)
WAIT_LINEAR = Affine.wait(0.01, 4e-7)
HINGED = Hinged(0.01, 1e-6, 2e-6, 0.3e-6, 64, 50e-6, 1e-8, 2e-8, 1e-7)


def noisy_tables(seed: int = 3) -> Tabulated:
    """A small tabulated model whose tables scatter by some per cent around plausible laws, with a skew."""
    rng = np.random.default_rng(seed)

    def noisy(law: Callable[..., Floats], *axes: tuple[float, ...]) -> Floats:
        values = law(*np.meshgrid(*axes, indexing="ij"))
        return values * rng.uniform(0.95, 1.05, values.shape)

    tokens, seqs, contexts = (1, 8, 32, 64, 128, 256, 300), (1, 4, 16, 40), (16, 64, 128, 256, 512)
    chunk, cached = (8, 32, 64, 128, 256), (0, 64, 256, 512)

    def decode(n: Floats, c: Floats) -> Floats:
        return 3e-4 + 4e-6 * n + 3e-7 * n * c

    def prefill(p: Floats, past: Floats) -> Floats:
        return 2e-4 + 1e-6 * p + 1e-8 * p * (past + p / 2)

    def mixed(p: Floats, n: Floats, c: Floats) -> Floats:
        return 1.5 * decode(n, c) + 1e-7 * p

    return Tabulated(
        overhead_s=1e-3,
        tokens=Curve.monotone(tokens, noisy(lambda x: 8e-3 + 5e-5 * np.maximum(0, x - 64), tokens)),
        sequences=Curve.monotone(seqs, noisy(lambda x: 5e-4 + 2e-6 * x, seqs)),
        prefill=Grid.monotone((chunk, cached), noisy(prefill, chunk, cached)),
        decode=Grid.monotone((seqs, contexts), noisy(decode, seqs, contexts)),
        mixed=Grid.monotone((chunk, seqs, contexts), noisy(mixed, chunk, seqs, contexts)),
        skew=Curve((1, 8, 40), (0.0, 0.3, 0.2)),
    )


TABULATED = noisy_tables()
LOCKSTEP = Lockstep(TABULATED, 2)
ROOFLINE = Roofline(chip("a100-80g"), model_config("llama2-7b"))
SERVICE_MODELS = {
    "affine": AFFINE,
    "wait-linear": WAIT_LINEAR,
    "hinged": HINGED,
    "tabulated": TABULATED,
    "lockstep": LOCKSTEP,
    "roofline": ROOFLINE,
}
REFERENCE = Hardware("reference", AFFINE, 40_000, 256)


def random_workload(seed: int, n: int = 60, longest_prompt: int = 300, longest_output: int = 80) -> Workload:
    """Poisson arrivals at a random rate, uniform lengths, one-token requests included."""
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1 / rng.uniform(3, 40), n))
    return Workload.of(
        arrivals, rng.integers(1, longest_prompt + 1, n), rng.integers(1, longest_output + 1, n), name=f"random-{seed}"
    )


def edge_of_memory(
    seed: int, block_tokens: int = 1, most_extra: int = 0, service: object = AFFINE, n: int = 14, seats: int = 8
) -> tuple[Workload, Hardware]:
    """A workload, and hardware whose memory is just its longest request or up to `most_extra` tokens more."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(rng.choice([0.01, 0.05, 0.3]), n)
    workload = Workload.of(np.cumsum(gaps), rng.integers(1, 15, n), rng.integers(1, 25, n))
    longest = int((workload.input_tokens + workload.output_tokens).max() - 1)
    capacity = -(-longest // block_tokens) * block_tokens + int(rng.integers(0, most_extra + 1))
    return workload, Hardware("edge", service, capacity, seats, block_tokens)  # type: ignore[arg-type]


def tight_hardware(service: object, seed: int, block_tokens: int) -> Hardware:
    """Memory and batch size small enough to bind, large enough for the longest request; odd seeds retain KV."""
    rng = np.random.default_rng(seed)
    return Hardware(
        "tight",
        service,
        int(rng.integers(420, 2500)),
        int(rng.integers(3, 40)),
        block_tokens,  # type: ignore[arg-type]
        keeps_preempted_kv=seed % 2 == 1,
    )


def build(name: str, workload: Workload, fleet: Fleet) -> Policy | None:
    """The named policy with its defaults, planned for load 0.3, or 0.1; None where its conditions hold at neither.

    The workload itself may load the fleet far beyond that: laws must hold for a badly planned policy too. None is for
    memory that is too small for Nested WAIT's stages (one in ten of `tight_hardware`).
    """
    for load in (0.3, 0.1):
        try:
            return RECIPES[name].build(workload.at_load(load, fleet), fleet)
        except InputError:
            continue
    return None


def small_variants() -> list[Policy]:
    """Policies with budgets so small that chunking, batching limits and preemption happen all the time."""
    return [vllm_v1(40, 6), sarathi(48, 7, 0.02), vllm_v0(5, 0.05)]


policy_names = st.sampled_from(sorted(RECIPES))
router_names = st.sampled_from(sorted(ROUTERS))
services = st.sampled_from(list(SERVICE_MODELS.values()))
seeds = st.integers(0, 2**20)
