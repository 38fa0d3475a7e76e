"""Shortest remaining first with oracle lengths, in chunks that follow the service model's price of prompt tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_number, check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.service import ServiceModel
from orsched.workloads import Workload
from policies.parts.kv_projection import KVProjection
from policies.parts.pressure import outgrown
from policies.parts.prompt_price import PromptPrice
from policies.recipe import Recipe

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


class Admission:
    """Who may start at one decision: a request that has a seat, and KV memory in every future iteration.

    The first that does not fit ends it.

    Parameters
    ----------
    view : InstanceView
        The instance now.
    limit : int
        Most running requests.
    """

    def __init__(self, view: InstanceView, limit: int) -> None:
        self._view = view
        self._seats = limit - view.num_running
        self._free = view.free_blocks - view.growth_blocks()
        self._open = True

    @cached_property
    def future(self) -> KVProjection:
        """Memory with the requests that have been let in; built when it is first asked for."""
        return KVProjection(self._view)

    def candidates(self) -> Iterator[int]:
        """Waiting requests in queue order for as long as admission is open."""
        for request in self._view.waiting:
            if not self._open:
                return
            yield request

    def try_start(self, request: int, tokens: int) -> bool:
        """Count a waiting request in with a first chunk of `tokens`, if it fits."""
        self._open = self._seats > 0 and self._reserve(request, tokens)
        self._seats -= self._open
        return self._open

    def _reserve(self, request: int, tokens: int) -> bool:
        view, future = self._view, self.future
        prompt, outputs = view.prompt_tokens[request], iterations_left(view, request)
        blocks = view.blocks_for(prompt)
        if blocks > self._free:
            return False
        if tokens == prompt:
            if fits := future.fits(prompt, outputs):
                future.start(request, prompt, outputs)
        elif fits := future.fits_held(prompt + outputs - 1):
            future.hold(prompt + outputs - 1)
        self._free -= blocks * fits
        return fits


@dataclass(frozen=True, slots=True)
class ShortestRemaining:
    """Every decode runs in every iteration; prompts share it, the request with the fewest tokens left first.

    A prompt in progress pauses for a shorter request. The iteration takes the prompt tokens that are cheap by the
    service model, and more while that costs those present less than it saves those that wait (`PromptPrice`), but no
    chunk so large that shorter requests could not interrupt it. Where all tokens have one price prompts are whole. A
    request starts only if memory suffices in every future iteration, so that nothing is ever preempted, unless
    predicted lengths were too short; then the latest admitted is, when the next iteration does not fit.

    Parameters
    ----------
    service : ServiceModel
        Iteration time of the hardware it runs on.
    max_num_seqs : int
        Most running requests.
    stretch : float
        Most tokens in an iteration with prompts, decodes included, as a multiple of those that are cheap; >= 1.
    """

    service: ServiceModel
    max_num_seqs: int = 256
    stretch: float = 1.5

    def __post_init__(self) -> None:
        check_has(self, "service", "a service model", "iteration_s", "affine_minorants")
        check_number(self, "stretch", least=1)
        check_whole(self, "max_num_seqs")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        if relief := outgrown(view):
            return relief
        waiting, prefilling = view.waiting, view.prefilling
        if not prefilling and not waiting:
            return DECODE_ALL
        limit = min(self.max_num_seqs, view.max_num_seqs)
        if not prefilling and view.num_running >= limit:
            return DECODE_UNDISTURBED
        admission = Admission(view, limit)
        chunks = self._chunks(view, admission)
        if chunks:
            return Plan(chunks)
        head = next(iter(waiting))
        wait = admission.future.earliest(view.prompt_tokens[head], iterations_left(view, head))
        return Plan(max_steps=max(1, wait))

    def _chunks(self, view: InstanceView, admission: Admission) -> tuple[Chunk, ...]:
        prefilling = view.prefilling
        pending = len(prefilling) + len(view.waiting)
        decodes = view.num_running - len(prefilling)
        kv_tokens = sum(map(view.cached_tokens, view.running)) - sum(prefilling.values())
        price = PromptPrice(self.service, decodes, kv_tokens, decodes + pending)
        cheap = price.cheap_tokens()
        most = self.stretch * (cheap + decodes) - decodes

        def tokens_left(request: int) -> int:
            return view.prompt_left(request) + iterations_left(view, request)

        chunks: list[Chunk] = []
        done = 0
        for request in merge(sorted(prefilling, key=tokens_left), admission.candidates(), key=tokens_left):
            left = view.prompt_left(request)
            tokens = int(min(left, max(0, cheap - done)))
            more = int(min(left, max(0, most - done))) - tokens
            if more > 0 and price.pays(done + tokens, more, cheap, pending):
                tokens += more
            if not tokens:
                break
            if request not in prefilling and not admission.try_start(request, tokens):
                continue
            chunks.append(Chunk(request, tokens, view.prompt_tokens[request]))
            done += tokens
            pending -= tokens == left
        return tuple(chunks)


def iterations_left(view: InstanceView, request: int) -> int:
    """Output tokens that a waiting request, or one whose prompt is not done, has still to emit."""
    return view.output_tokens(request) - view.emitted_tokens(request)


def fewest_tokens(input_tokens: int, output_tokens: int | None, /) -> float:
    """Queue key: prompt plus the output length that is known, the true or the predicted one."""
    assert output_tokens is not None, "the engine gives the length to policies that declare oracle or predicted"
    return float(input_tokens + output_tokens)


def srpt(workload: Workload, fleet: Fleet) -> Policy:
    """Our clairvoyant heuristic for the mean latency, for the service model of `fleet`; `workload` is not used.

    It is no published system and no optimum: it shows how much of a gap to a bound a better policy surely closes. Its
    rules and `stretch` were chosen on the reference instance and on azure-conv, on paths with seeds from 1000 on.
    """
    batcher = ShortestRemaining(fleet.hardware.service)
    return Policy("srpt", batcher, information=Information.ORACLE, order=fewest_tokens)


RECIPES = (
    Recipe(
        "srpt",
        "Ours: fewest remaining tokens first with oracle lengths, chunks by the service model's price, never preempts",
        Information.ORACLE,
        srpt,
    ),
)
