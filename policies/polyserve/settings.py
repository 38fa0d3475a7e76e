"""What may be chosen about PolyServe, and the parts that each choice stands for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from orsched.checks import check_is, check_number, check_whole
from orsched.errors import InputError
from orsched.workloads import Workload
from policies.polyserve.chunking import ChunkRule, DynamicChunks, FixedChunks
from policies.polyserve.deadlines import ChunkedPrefill, DeadlineTest, NoPrefill, PrefillRule, first_token, second_token
from policies.polyserve.desk import Rank, least_loaded, most_loaded
from policies.polyserve.ladder import (
    Promotion,
    eager_nearest_first,
    eager_tightest_first,
    lazy_nearest_first,
    lazy_tightest_first,
    no_promotion,
)
from policies.polyserve.lengths import AverageLengths, KnownLengths, RunningLengths
from policies.polyserve.peaks import CheapPeak, ExactPeak, PeakRule


@dataclass(frozen=True, slots=True)
class PolyServeSettings:
    """Settings of PolyServe.

    Which of them are the paper's own values is not known: it states the rules, and few numbers are published in what we
    have. Those marked "third party" follow a re-implementation on Llumnix; all other defaults are ours.

    Parameters
    ----------
    promotion : str
        Whether requests go to tighter tiers: when their own has refused (``lazy``, the paper's), before that
        (``eager``), or never (``none``).
    promotion_order : str
        Which of several tighter tiers is tried first (third party: the tightest).
    order : str
        Which of a tier's servers is tried first. The paper's is the most loaded; the load is the number of requests.
    scaling : bool
        Whether servers are claimed for tiers and released. Without, each instance keeps the tier of its group.
    kv_test : bool
        Whether the KV tokens at their peak must fit (third party).
    prefill_term : bool
        Whether the tests of the first two tokens count the prefill.
    k_max : str
        ``exact`` or ``cheap`` (third party).
    average_length : str
        Average decode length: mean of the ``class`` or of the ``fleet`` in the workload that the policy is built for,
        or the mean of what has completed so far, by class (``running``), which needs no information.
    first_length_tokens : int
        With ``running``: stands for the mean before anything has completed.
    least_remaining_tokens : int
        Tokens that a request which has outlived the average is expected to emit still.
    check_every_s : float
        Period of the scaler's checks, seconds.
    empty_checks : int
        Checks in a row that must find a tier's last server empty (third party: 2).
    min_servers : int
        Servers that a tier keeps (third party: 1).
    take_over : bool
        Whether a tier without a server takes one from the tier that has most (third party).
    power_off : bool
        Whether idle servers of the pool are switched off, so that they cost no server-hours.
    starts_at_once : int
        Most servers that may be starting for one tier.
    chunk_tokens : int, optional
        Fixed number of prompt tokens per iteration; None sizes chunks by the tier's time per token.
    least_chunk_tokens : int
        Prompt tokens that an iteration carries in any case.
    decode_tests : str
        With prefill and decode instances: tests of a decode server for a finished prompt, only the ``steady`` state or
        the second token's ``deadline`` too. What the paper means is not settled in what we have.
    prefill_batch_tokens : int
        With prefill and decode instances: prompt tokens per iteration of a prefill server.
    """

    promotion: Literal["lazy", "eager", "none"] = "lazy"
    promotion_order: Literal["tightest", "nearest"] = "tightest"
    order: Literal["most-loaded", "least-loaded"] = "most-loaded"
    scaling: bool = True
    kv_test: bool = True
    prefill_term: bool = True
    k_max: Literal["exact", "cheap"] = "exact"
    average_length: Literal["class", "fleet", "running"] = "class"
    first_length_tokens: int = 256
    least_remaining_tokens: int = 1
    check_every_s: float = 1.0
    empty_checks: int = 2
    min_servers: int = 1
    take_over: bool = True
    power_off: bool = False
    starts_at_once: int = 1
    chunk_tokens: int | None = None
    least_chunk_tokens: int = 32
    decode_tests: Literal["steady", "deadline"] = "steady"
    prefill_batch_tokens: int = 8192

    def __post_init__(self) -> None:
        choices: Mapping[str, Collection[str]] = {
            "promotion": {name for name, _ in PROMOTIONS},
            "promotion_order": {name for _, name in PROMOTIONS},
            "order": RANKS,
            "k_max": PEAKS,
            "average_length": (*KNOWN_LENGTHS, "running"),
            "decode_tests": DECODE_TESTS,
        }
        for field, known in choices.items():
            if getattr(self, field) not in known:
                names = ", ".join(map(repr, sorted(known)))
                raise InputError(f"PolyServeSettings.{field} = {getattr(self, field)!r}: must be one of {names}")
        for field in ("scaling", "kv_test", "prefill_term", "take_over", "power_off"):
            check_is(self, field, bool)
        for field in ("first_length_tokens", "least_remaining_tokens", "empty_checks", "min_servers", "starts_at_once"):
            check_whole(self, field)
        for field in ("least_chunk_tokens", "prefill_batch_tokens"):
            check_whole(self, field)
        if self.chunk_tokens is not None:
            check_whole(self, "chunk_tokens")
        check_number(self, "check_every_s", above=True, unit="seconds")

    @property
    def tiers_tried(self) -> Promotion:
        """Which tiers are tried."""
        return PROMOTIONS[self.promotion, self.promotion_order]

    @property
    def rank(self) -> Rank:
        """Which server of a tier is tried first."""
        return RANKS[self.order]

    @property
    def peak(self) -> PeakRule:
        """How K_max is found."""
        return PEAKS[self.k_max]

    @property
    def prefill(self) -> PrefillRule:
        """When first tokens are expected."""
        return ChunkedPrefill() if self.prefill_term else NoPrefill()

    @property
    def chunks(self) -> ChunkRule:
        """How prompts are cut."""
        return DynamicChunks(self.least_chunk_tokens) if self.chunk_tokens is None else FixedChunks(self.chunk_tokens)

    def lengths(self, workload: Workload) -> AverageLengths:
        """Where average decode lengths come from."""
        if self.average_length == "running":
            return RunningLengths(len(workload.classes), self.first_length_tokens)
        return self.known_lengths(workload)

    def known_lengths(self, workload: Workload) -> KnownLengths:
        """Average decode lengths of a deployment that knows them."""
        return KNOWN_LENGTHS[self.average_length](workload)


PROMOTIONS: Mapping[tuple[str, str], Promotion] = MappingProxyType(
    {
        ("lazy", "tightest"): lazy_tightest_first,
        ("lazy", "nearest"): lazy_nearest_first,
        ("eager", "tightest"): eager_tightest_first,
        ("eager", "nearest"): eager_nearest_first,
        ("none", "tightest"): no_promotion,
        ("none", "nearest"): no_promotion,
    }
)
RANKS: Mapping[str, Rank] = MappingProxyType({"most-loaded": most_loaded, "least-loaded": least_loaded})
PEAKS: Mapping[str, PeakRule] = MappingProxyType({"exact": ExactPeak(), "cheap": CheapPeak()})
KNOWN_LENGTHS: Mapping[str, Callable[[Workload], KnownLengths]] = MappingProxyType(
    {"class": KnownLengths.by_class, "fleet": KnownLengths.of_fleet}
)
DECODE_TESTS: Mapping[str, tuple[DeadlineTest, ...]] = MappingProxyType({"steady": (), "deadline": (second_token,)})
ARRIVAL_TESTS: tuple[DeadlineTest, ...] = (first_token, second_token)
"""Tests (a) and (b) of the paper's section 4.6."""
