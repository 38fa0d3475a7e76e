"""TTFT and TPOT of a closed loop in its steady state, in closed form: fast enough to fit with."""

from __future__ import annotations

from scipy.optimize import brentq

from experiments.validation.silicon_load import ClosedLoop, ServingTimes
from orsched.service import Batch, ServiceModel


def steady_state(loop: ClosedLoop, service: ServiceModel) -> ServingTimes:
    """Approximate the mean TTFT and TPOT of `loop` on `service`.

    Notes
    -----
    A request lives for ``I = w + m + d`` iterations: it waits for ``w``, its prompt takes ``m`` iterations, its other
    ``d = o - 1`` tokens one each. In the steady state an iteration starts ``N / I`` requests in the mean and holds
    ``B = N d / I`` decodes, which read ``l + o / 2`` tokens each; of the ``c - B`` tokens left for prompts the share
    ``u = N l / (c I - N d)`` is used. Users out of step send like a Poisson stream, so that we take the wait in one
    queue with constant service, ``w = (l / (c - B)) u / (2 (1 - u))`` iterations: it keeps ``u`` below 1. ``I`` solves
    this fixed point.

    A share ``x = N m / I`` of the iterations holds a chunk, or each holds ``x`` chunks if that exceeds 1; TPOT is the
    mean over the iterations. The iteration that takes a request's prompt also takes those sent with it, ``x`` in the
    mean, as far as there is room. An approximation of ours, held against simulation by tests.
    """
    users, prompt, decodes = loop.users, loop.prompt_tokens, loop.output_tokens - 1

    def wait_and_prompt(life: float) -> tuple[float, float]:
        left = loop.token_budget - users * decodes / life
        used = users * prompt / (left * life)
        return prompt / left * used / (2 * (1 - used)), max(1.0, prompt / left)

    def excess(life: float) -> float:
        return sum(wait_and_prompt(life)) + decodes - life

    least = users * (prompt + decodes) / loop.token_budget
    most = max(least, 1.0 + decodes)
    while excess(most * (1 + 1e-9)) > 0:
        most *= 2
    life = float(brentq(excess, least * (1 + 1e-9), most * (1 + 1e-9))) if most > least else most
    wait, chunks = wait_and_prompt(life)
    decoding = users * decodes / life
    kv_tokens = decoding * (prompt + loop.output_tokens / 2)
    chunk = prompt / chunks
    past = (prompt - chunk) / 2

    def iteration_s(count: float) -> float:
        tokens = count * chunk
        return service.iteration_s(Batch(tokens, tokens * (past + chunk / 2), count * past, decoding, kv_tokens))

    started = users * chunks / life
    alone_s = iteration_s(1.0)
    mean_s = (1 - started) * iteration_s(0.0) + started * alone_s if started <= 1 else iteration_s(started)
    room = (loop.token_budget - decoding) / chunk
    together_s = iteration_s(max(1.0, min(1 + started, room)))
    return ServingTimes(chunks * together_s + wait * max(alone_s, mean_s), mean_s)
