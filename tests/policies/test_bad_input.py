"""Bad input: every public constructor, builder and look-up refuses it at once, and says what is allowed."""

import math
from dataclasses import replace

import numpy as np
import pytest
from instances import AFFINE, random_workload

import policies
from experiments.cli import main
from orsched import Fleet, Hardware, Policy, Predictions, Workload, simulate
from orsched.errors import InputError
from policies.a_max import a_max
from policies.a_min import a_min
from policies.alpha_protection import AlphaProtection, ClearEach, alpha_clearing, alpha_protection
from policies.andes import ByGain, Reader, andes
from policies.fastserve import SkipJoin, fastserve
from policies.learned_ranking import learned_ranking, sjf_predicted, srtf_predicted
from policies.mc_benchmark import mc_benchmark
from policies.mc_sf import mc_sf
from policies.multi_bin import StaticBatches, multi_bin
from policies.orca import orca
from policies.parts.bins import LengthBins
from policies.parts.memory_constrained import MemoryConstrained
from policies.parts.ranked import BatchLimits, PreemptionCap
from policies.parts.reserving import Reserving
from policies.parts.starvation import StarvationRule
from policies.parts.token_budget import TokenBudget
from policies.parts.token_counters import TokenPrices
from policies.predictors import ClassMean, Empirical, Interval, Noise, Oracle, Quantile, UniformNoise
from policies.rad import TiledModes, rad
from policies.sarathi import sarathi
from policies.sjf import known_peak, sjf
from policies.sorted_f import FOrder, sorted_f
from policies.srpt import ShortestRemaining
from policies.svf import svf
from policies.vllm_v0 import PrefillFirst, vllm_v0
from policies.vllm_v1 import vllm_v1
from policies.vtc import LeastServed, vtc
from policies.wait import (
    AnyClassFires,
    AuthorsNestedWait,
    AuthorsWait,
    GatedSegments,
    KeepDecoding,
    NestedWait,
    Nesting,
    Wait,
    Waiting,
)
from policies.wait.authors_code import ClassLimits
from policies.wait.drift import OverflowRisk, theta_root
from policies.wait.segments import NestedSegments

WORK = random_workload(3)
FLEET = Fleet.identical(Hardware("room", AFFINE, 3000, 32))
SLOW = WORK.at_load(0.3, FLEET)

NO_NUMBERS = (math.nan, -math.inf, True, "3", None, [], {}, -1, -(10**400), 10**400)
"""Refused wherever a number is asked for."""
WHOLE = (*NO_NUMBERS, 0, math.inf, 2.5, 10**30, np.int64(-3), np.float64("nan"))
POSITIVE = (*NO_NUMBERS, 0, math.inf)
AT_LEAST_NOUGHT = (*NO_NUMBERS, math.inf)
SHARE = (*AT_LEAST_NOUGHT, 1, 1.5)
NOT_LIMITED = NO_NUMBERS[:-1]
"""Where infinity means no limit, a large number may be given."""
WHOLES = (*WHOLE, (), (0,), (2.5,), (math.nan,), ("a",), (True,), (10**30,), [3])
CALLABLE = (None, 3, "name")

SEGMENTS = {"cuts": (3, 7), "thresholds": (4, 3), "survival": (0.5,), "prompt_tokens": (8.0, 8.0)}
GATED = {"ends": (3, 7), "caps": (3, 3), "total_limit": 5, "chunk_tokens": 5, "batch_tokens": 5}
QUANTILES = {"level": 0.5, "levels": (0.05, 0.95), "input_edges": (), "low": (1,), "point": (2,), "high": (3,)}
STEP_LIMITS = {"max_num_seqs": WHOLE, "watermark": SHARE}

CASES = [
    # what is called, what it accepts, and what it must refuse in place of one of the arguments
    (Noise, {"sigma": 0.5}, {"sigma": AT_LEAST_NOUGHT}),
    (UniformNoise, {"eps": 0.5}, {"eps": SHARE}),
    (Interval, {"alpha": 0.5}, {"alpha": (*POSITIVE, 1.5, 1e-7)}),
    (Empirical, {"model": "cls"}, {"model": (3, None, [], "bert")}),
    (
        Quantile,
        QUANTILES,
        {
            "level": (*POSITIVE, 1),
            "levels": (None, 3, (0.5,), (0, 1), (math.nan, 1)),
            "input_edges": ("a", None, (0,), (2.5,)),
            **dict.fromkeys(("low", "point", "high"), WHOLES),
        },
    ),
    (ClassMean, {"bins": LengthBins(), "means": (3,)}, {"bins": (None, 3, ()), "means": WHOLES}),
    (LengthBins, {}, {"input_edges": ("a", 3, None, [3], (0,), (2.5,), (5, 5)), "output_edges": ("a", (5, 4))}),
    (Waiting, {"thresholds": (1,)}, {"thresholds": WHOLES, "stage_iterations": WHOLE}),
    (KeepDecoding, {"thresholds": (1,)}, {"thresholds": WHOLES, "stage_iterations": WHOLE}),
    (Wait, {}, {"input_bins": (*WHOLE, 10**9), "output_bins": (*WHOLE, 10**9)}),
    (
        NestedWait,
        {},
        {"segments": (*WHOLE, 11, 10**9), "overflow_probability": (*POSITIVE, 1), "horizon_iterations": POSITIVE},
    ),
    (
        Nesting,
        {"cuts": (3,), "thresholds": (4,)},
        {"cuts": (None, (), (-1,), (2.5,)), "thresholds": WHOLES, "stage_iterations": WHOLE},
    ),
    (
        NestedSegments,
        SEGMENTS,
        {
            "cuts": (None, (), (-1, 3), (2.5, 3), (math.nan, 3)),
            "thresholds": (None, (0, 1), (2.5, 1), (math.nan, 1)),
            "survival": (0.5, (0,), (1.5,), (math.nan,), ("a",), (True,)),
            "prompt_tokens": (8, (0, 1), (math.inf, 1), ("a", 1)),
            "stage_iterations": WHOLE,
            "prompt_attention": AT_LEAST_NOUGHT[:4],
            "occupancy": (0.5, (0.5,), (0, 1), (math.nan, 1)),
        },
    ),
    (OverflowRisk, {}, {"probability": (*POSITIVE, 1), "horizon_iterations": (*POSITIVE, 1e19)}),
    (
        theta_root,
        {"entering": 10, "threshold": 6, "survival": 0.5},
        {"entering": WHOLE, "threshold": WHOLE, "survival": (*NO_NUMBERS, math.inf, 0.7)},
    ),
    (
        AuthorsWait,
        {},
        {"total_limit": WHOLE, "input_bins": (*WHOLE, 10**9), "output_bins": (*WHOLE, 10**9)},
    ),
    (ClassLimits, {"per_stage": 1, "in_service": 1.5}, {"per_stage": WHOLE, "in_service": (*POSITIVE, 0.5)}),
    (AnyClassFires, {"limits": (ClassLimits(1, 1.0),)}, {"limits": (None, (), (3,), [ClassLimits(1, 1.0)])}),
    (
        AuthorsNestedWait,
        {},
        {
            "total_limit": WHOLE,
            "segments": (*WHOLE, 10**9),
            "margin": AT_LEAST_NOUGHT,
            "chunk_tokens": WHOLE,
        },
    ),
    (
        GatedSegments,
        GATED,
        {
            "ends": (None, (), (-1, 3), (3, 3), (2.5, 3)),
            "caps": (*WHOLES, (1,)),
            **dict.fromkeys(("total_limit", "chunk_tokens", "batch_tokens"), WHOLE),
            "watermark": SHARE,
        },
    ),
    (MemoryConstrained, {}, {"max_num_seqs": WHOLE, "victims": CALLABLE, "candidates": CALLABLE}),
    (Reserving, {"peak_tokens": known_peak}, {"max_num_seqs": WHOLE, "peak_tokens": CALLABLE}),
    (
        TokenBudget,
        {"max_num_batched_tokens": 10, "max_num_seqs": 3},
        {"max_num_batched_tokens": (*WHOLE, 2), "max_num_seqs": (*WHOLE, 11), "watermark": SHARE},
    ),
    (PrefillFirst, {}, {"min_batched_tokens": WHOLE, **STEP_LIMITS}),
    (LeastServed, {}, {"prices": (None, 3), "max_num_seqs": WHOLE}),
    (BatchLimits, {}, {"max_num_seqs": WHOLE, "max_prompt_tokens": WHOLE}),
    (PreemptionCap, {}, {"per_arrival": NOT_LIMITED}),
    (StarvationRule, {}, {"idle_steps": (*NOT_LIMITED, 0), "run_steps": WHOLE}),
    (
        TokenPrices,
        {},
        {
            "input_price": POSITIVE,
            "output_price": POSITIVE,
            "weights": (None, 3, (), {3: 0.0}, {3: math.nan}, {3: "a"}),
        },
    ),
    (AlphaProtection, {"alpha": 0.2}, {"alpha": SHARE, "max_num_seqs": WHOLE, "clear": CALLABLE}),
    (ClearEach, {}, {"probability": (*POSITIVE, 1.5)}),
    (StaticBatches, {"batch_size": 3, "longest": (3,)}, {"batch_size": WHOLE, "longest": WHOLES}),
    (TiledModes, {}, {"tile_tokens": (*WHOLE, 100), "chunk_tokens": (*WHOLE, 100), "watermark": SHARE}),
    (FOrder, {}, {"window": WHOLE, "select": CALLABLE}),
    (
        ShortestRemaining,
        {"service": AFFINE},
        {"service": (None, 3), "max_num_seqs": WHOLE, "stretch": (*POSITIVE, 0.9)},
    ),
    (
        SkipJoin,
        {"service": AFFINE},
        {
            "service": (None, 3),
            "base_quantum_s": POSITIVE,
            "queues": (*WHOLE, 65, 10**9),
            "starvation_s": POSITIVE,
            "starvation_period": WHOLE,
            "limits": (None, 3),
            "cap": (None, 3),
        },
    ),
    (Reader, {}, {"ttft_s": POSITIVE, "tokens_per_s": POSITIVE, "horizon_s": POSITIVE}),
    (
        ByGain,
        {},
        {
            "interval_s": (*POSITIVE, 1e-6),
            "resident_bonus": AT_LEAST_NOUGHT,
            "reader": (None, 3),
            "cap": (None, 3),
            "limits": (None, 3),
        },
    ),
    (
        Policy,
        {"name": "x", "batch": lambda view: None, "classify": lambda i, o: 0},
        {
            "name": (None, 5),
            "batch": CALLABLE,
            "route": CALLABLE,
            "information": (None, 3, "oracle"),
            "num_classes": WHOLE,
            "num_cohorts": tuple(value for value in WHOLE if value is not None),
            "classify": CALLABLE[1:],
            "order": CALLABLE[1:],
            "predict": (3, lambda workload, rng: None),
            "plans_with": (None, "middle"),
            "settings": (None, 3),
        },
    ),
    # the functions that make policies
    *((make, {}, {"max_num_seqs": WHOLE}) for make in (mc_sf, mc_benchmark, orca, sjf, svf)),
    (vllm_v0, {}, STEP_LIMITS),
    (vllm_v1, {}, {"max_num_batched_tokens": WHOLE, "max_num_seqs": WHOLE}),
    (sarathi, {}, {"chunk_tokens": WHOLE, **STEP_LIMITS}),
    (rad, {}, {"tile_tokens": WHOLE, "chunk_tokens": WHOLE, "watermark": SHARE}),
    (sorted_f, {}, {"window": WHOLE, "max_num_seqs": WHOLE, "select": CALLABLE}),
    (alpha_protection, {}, {"alpha": SHARE, "max_num_seqs": WHOLE}),
    (alpha_clearing, {}, {"alpha": SHARE, "phi": (*POSITIVE, 1.5), "max_num_seqs": WHOLE}),
    (multi_bin, {"workload": WORK, "fleet": FLEET}, {"bins": (*WHOLE, 10**9), "batch_size": WHOLE}),
    *((make, {}, {"predictor": CALLABLE, "max_num_seqs": WHOLE}) for make in (a_max, a_min)),
    (sjf_predicted, {"predictor": Oracle()}, {"predictor": CALLABLE}),
    *(
        (make, {"predictor": Oracle()}, {"predictor": CALLABLE, "limits": (3,), "preemption_cap": NOT_LIMITED})
        for make in (srtf_predicted, learned_ranking)
    ),
    (fastserve, {"service": AFFINE}, {"base_quantum_s": POSITIVE, "queues": WHOLE, "preemption_cap": NOT_LIMITED}),
    (andes, {}, {"reader": (3,), "interval_s": POSITIVE, "preemption_cap": NOT_LIMITED, "limits": (3,)}),
    (vtc, {}, {"input_price": POSITIVE, "output_price": POSITIVE, "weights": (3, ()), "max_num_seqs": WHOLE}),
]
FIELDS = [
    pytest.param(make, good, name, values, id=f"{make.__name__}.{name}")
    for make, good, bad in CASES
    for name, values in bad.items()
]


@pytest.mark.parametrize(("make", "good", "name", "values"), FIELDS)
def test_every_argument_is_checked(make, good, name, values):
    """Claim: what is accepted is accepted; a negative number, zero, one that is not finite, a truth value, a fraction,
    a text, nothing and an absurdly large number are refused where they make no sense, in one line."""
    make(**good)
    for value in values:
        with pytest.raises(InputError) as caught:
            make(**{**good, name: value})
        assert str(caught.value).count("\n") == 0, value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mc_sf(2.5), r"max_num_seqs = 2\.5: must be a whole number from 1"),
        (lambda: Waiting((0, 1)), r"Waiting\.thresholds = \(0, 1\): must be a tuple of 1 or more whole numbers from 1"),
        (lambda: alpha_protection(1.0), r"AlphaProtection\.alpha = 1\.0: must be a finite number >= 0 and < 1"),
        (lambda: ClearEach(0.0), r"phi = 0\.0: must be a finite number > 0 and <= 1"),
        (lambda: PreemptionCap(math.nan), "preemption_cap = nan: must be a number >= 0"),
        (lambda: vtc(weights={3: 0.0}), r"weights\[3\] = 0\.0: must be a finite number > 0"),
        (lambda: NestedWait(segments=11), r"NestedWait\.segments = 11: must be a whole number from 1 to 10"),
        (lambda: theta_root(0, 3, 0.5), "entering = 0: must be a whole number from 1"),
        (lambda: Policy("x", 5), r"Policy\.batch = 5: must be a function of the view"),
    ],
)
def test_messages_name_the_field_the_value_and_what_is_allowed(make, message):
    """Claim: a user reads what to change."""
    with pytest.raises(InputError, match=message):
        make()


class Unchecked:
    """Returns predictions that nobody has checked."""

    name = "unchecked"

    def __init__(self, tokens):
        self.tokens = tokens

    def __call__(self, workload, rng, /):
        column = np.full(len(workload), self.tokens)
        return Predictions(column, column, column)


TWO_CLASSES = replace(
    policies.build("multi-bin", WORK, FLEET), num_classes=2, num_cohorts=2, classify=LengthBins((), (30,))
)


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate(WORK, FLEET, mc_sf().predicted_by(Unchecked(0))),
        lambda: simulate(WORK, FLEET, mc_sf().predicted_by(Unchecked(-5))),
        lambda: simulate(WORK, FLEET, mc_sf().predicted_by(Unchecked(2.5))),
        lambda: mc_sf().predicted_by(lambda workload, rng: Predictions.of(workload.output_tokens)),
        lambda: mc_sf().predicted_by(None),
        lambda: mc_sf().routed_by("jsq"),
        lambda: simulate(WORK, FLEET, replace(TWO_CLASSES, batch=Waiting((2,)))),
        lambda: simulate(WORK, FLEET, replace(TWO_CLASSES, batch=KeepDecoding((2, 2, 2)))),
        lambda: simulate(WORK, FLEET, replace(TWO_CLASSES, batch=AnyClassFires((ClassLimits(1, 1.0),)))),
        lambda: simulate(WORK, FLEET, replace(TWO_CLASSES, batch=StaticBatches(3, (9, 9, 9)))),
        lambda: Quantile.of(WORK, 0.5, 10**9),
        lambda: Quantile.of(WORK, 0.5, 0),
        lambda: LengthBins.quantiles(WORK, 100, 100),
        lambda: Wait(100, 100).from_fluid(SLOW, FLEET),
        lambda: Wait().with_thresholds((1, 2.5), SLOW, FLEET),
        lambda: NestedWait().with_thresholds((20, 79), (2, math.nan), SLOW, FLEET),
        *(lambda name=name: policies.build(name, WORK, FLEET) for name in (5, None, [], "waitt")),
        *(lambda name=name: policies.get_router(name) for name in (5, None, [], "jsqq")),
        *(lambda name=name: policies.get_predictor(name) for name in (5, None, [], "")),
        *(lambda text=text: policies.build_predictor(text, WORK) for text in ("class-mean:1e9", "class-mean:1e300")),
        lambda: policies.build_predictor("class-mean:nan", WORK),
    ],
)
def test_what_is_built_from_it_is_refused_too(call):
    """Claim: predictions, thresholds that do not match the classes, grids beyond any use and unknown names of any type
    are input errors of one line."""
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("count", [1, 2])
def test_a_workload_without_a_rate_is_refused_where_a_rate_is_needed(count):
    """Claim: WAIT cannot be planned for requests that all come at once."""
    still = Workload.of(np.zeros(count), np.full(count, 5), np.full(count, 9))
    for name in ("wait", "nested-wait", "nested-wait-mean"):
        with pytest.raises(InputError, match="no arrival rate"):
            policies.build(name, still, FLEET)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--policy", "5"],
        ["--policy", "waitt"],
        ["--policy", "sjf", "--predictor", "class-mean:1e9"],
        ["--policy", "sjf", "--predictor", "class-mean:1e300"],
        ["--policy", "sjf", "--predictor", "noise:nan"],
        ["--policy", "sjf", "--predictor", "5"],
        ["--policy", "sarathi", "--router", "5"],
    ],
)
def test_the_command_line_says_it_in_one_line(arguments, capsys):
    """Claim: exit code 2 and one line on standard error."""
    assert main(["evaluate", *arguments, "--requests", "20", "--replications", "2", "--workers", "1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
