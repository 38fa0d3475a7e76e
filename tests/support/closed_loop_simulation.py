"""A closed loop simulated iteration by iteration, token by token: what the event-driven one is held against."""

from orsched.service import Batch


def simulate_tokens(service, users, prompts, outputs, budget):
    """Return TTFT and TPOT of each request, seconds; `prompts` and `outputs` are the lengths in order of sending."""
    count, clock, fresh = len(prompts), 0.0, users
    sent, tokens_at = [0.0] * count, [[] for _ in range(count)]
    prefilled = [0] * count
    system = list(range(users))
    while system:
        decoding = [r for r in system if tokens_at[r]]
        left, chunks = budget - len(decoding), []
        for r in system:
            if not tokens_at[r] and left:
                taken = min(left, prompts[r] - prefilled[r])
                chunks.append((r, taken))
                left -= taken
        clock += service.iteration_s(
            Batch(
                sum(taken for _, taken in chunks),
                sum(taken * (prefilled[r] + taken / 2) for r, taken in chunks),
                sum(prefilled[r] for r, _ in chunks),
                len(decoding),
                sum(prompts[r] + len(tokens_at[r]) - 1 for r in decoding),
            )
        )
        for r, taken in chunks:
            prefilled[r] += taken
        for r in [*decoding, *(r for r, _ in chunks if prefilled[r] == prompts[r])]:
            tokens_at[r].append(clock)
        for r in sorted(r for r in decoding if len(tokens_at[r]) == outputs[r]):
            system.remove(r)
            if fresh < count:
                sent[fresh] = clock
                system.append(fresh)
                fresh += 1
    ttft = [at[0] - start for at, start in zip(tokens_at, sent, strict=True)]
    return ttft, [(at[-1] - at[0]) / (len(at) - 1) for at in tokens_at]
