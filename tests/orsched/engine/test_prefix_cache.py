"""The store of prefix blocks: by hand, and against a slow one that looks at everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orsched.engine.prefix_cache import PrefixCache
from orsched.errors import InputError
from orsched.memory import KVLedger


class Desk:
    """What an instance does with its ledger and its cache, and nothing else."""

    def __init__(self, capacity_blocks, block, prefix_tokens, paths):
        self.ledger = KVLedger(capacity_blocks * block, block)
        self.firsts: set[int] = set()
        self.cache = PrefixCache(self.ledger, prefix_tokens, paths.__getitem__, self.report)
        self.cached: dict[int, int] = {}

    def report(self, block, cached):
        (self.firsts.add if cached else self.firsts.remove)(block)

    def admit(self, request, reused, tokens, reserve):
        used = self.ledger.used_blocks
        used += self.cache.claim(request, reused)
        self.cached[request] = reused
        self.process(request, tokens, reserve, used)

    def process(self, request, tokens, reserve=0, used=None):
        used = self.ledger.used_blocks if used is None else used
        held = max(self.cached[request] + tokens, reserve)
        self.ledger.reserve(request, held - self.cache.shared_tokens(request))
        self.cache.take(self.ledger.used_blocks - used)
        self.cached[request] += tokens
        self.cache.publish(request, self.cached[request])

    def own(self, request):
        return self.cached[request] - self.cache.shared_tokens(request)

    def decode(self, request):
        """One more token, without a reservation."""
        room = max(self.ledger.held[request], self.ledger.blocks_for(self.own(request)))
        more = self.ledger.blocks_for(self.own(request) + 1) > room
        self.ledger.grow(more)
        self.cache.take(more)
        self.cached[request] += 1

    def leave(self, request, kept):
        own = self.own(request)
        blocks = self.ledger.release(request, own)
        if kept:
            self.cache.keep(request, own, blocks)
        else:
            self.cache.leave(request, blocks)
        del self.cached[request]

    @property
    def resident_tokens(self):
        return sum(self.cached.values()) - self.cache.duplicate_tokens

    def check(self):
        self.ledger.check_integrity(((r, self.own(r)) for r in self.cached), self.cache.pinned_blocks)
        self.cache.check_integrity(self.ledger.free_blocks)
        pinned = self.cache.pinned_blocks * self.ledger.block_tokens
        assert self.resident_tokens == sum(map(self.own, self.cached)) + pinned


class Slow:
    """The same, obviously: sets of users, stamps of last use, everything counted anew at every question."""

    def __init__(self, capacity_blocks, block, prefix_tokens, paths):
        self.capacity, self.block, self.prefix, self.paths = capacity_blocks, block, prefix_tokens, paths
        self.users: dict[int, set[int]] = {}
        self.stamp: dict[int, int] = {}
        self.parent = {b: p for path in paths for p, b in zip([None, *path], path, strict=False)}
        self.tails: dict[int, list] = {}
        self.resident: dict[int, list[int]] = {}
        self.now = 0

    def tick(self):
        self.now += 1
        return self.now

    def used(self):
        own = sum(max(held, -(-(done - shared) // self.block)) for done, shared, held in self.resident.values())
        return own + self.prefix // self.block * sum(1 for users in self.users.values() if users)

    def idle(self):
        return {b for b, users in self.users.items() if not users}

    def shrink_to(self, free):
        """Evict until what is idle fits in `free` blocks: the oldest, among blocks that no cached one follows."""
        run = self.prefix // self.block
        while run * len(self.idle()) + sum(tail[1] for tail in self.tails.values()) > free:
            followed = {self.parent[b] for b in self.users}
            items = [(self.stamp[b], "block", b) for b in self.idle() - followed]
            items += [(tail[2], "tail", request) for request, tail in self.tails.items()]
            _, kind, key = min(items)
            if kind == "block":
                del self.users[key], self.stamp[key]
            else:
                self.tails[key][1] -= 1
                if not self.tails[key][1]:
                    del self.tails[key]

    def copy(self):
        other = Slow(self.capacity, self.block, self.prefix, self.paths)
        other.users = {b: set(users) for b, users in self.users.items()}
        other.stamp, other.now = dict(self.stamp), self.now
        other.tails = {r: list(tail) for r, tail in self.tails.items()}
        other.resident = {r: list(facts) for r, facts in self.resident.items()}
        return other

    def tokens_of(self, request, most, taken=0):
        if taken:
            then = self.copy()
            then.shrink_to(self.capacity - self.used() - taken)
            return then.tokens_of(request, most)
        tokens = 0
        for block in self.paths[request]:
            if block not in self.users:
                break
            tokens += self.prefix
        start, blocks, _ = self.tails.get(request, (None, 0, 0))
        possible = list(range(0, tokens + 1, self.prefix))
        if tokens == start:
            possible += [tokens + (i + 1) * self.block for i in range(blocks)]
        return max(n for n in possible if n <= most)

    def admit(self, request, reused, tokens, reserve):
        shared = 0
        for block in self.paths[request]:
            if shared + self.prefix > reused or block not in self.users:
                break
            self.users[block].add(request)
            shared += self.prefix
        self.tails.pop(request, None)
        self.resident[request] = [reused, shared, 0]
        self.process(request, tokens, reserve)

    def process(self, request, tokens, reserve=0):
        facts = self.resident[request]
        facts[2] = max(facts[2], -(-(max(facts[0] + tokens, reserve) - facts[1]) // self.block))
        facts[0] += tokens
        self.shrink_to(self.capacity - self.used())
        for i, block in enumerate(self.paths[request]):
            if (i + 1) * self.prefix <= facts[0]:
                self.users.setdefault(block, set()).add(request)
                gained = max(0, (i + 1) * self.prefix - facts[1])
                facts[1] += gained
                facts[2] -= gained // self.block

    def decode(self, request):
        self.resident[request][0] += 1
        self.shrink_to(self.capacity - self.used())

    def leave(self, request, kept):
        done, shared, _ = self.resident.pop(request)
        if kept and (done - shared) // self.block:
            self.tails[request] = [shared, (done - shared) // self.block, self.tick()]
        for block in reversed(self.paths[request]):
            if request in self.users.get(block, ()):
                self.users[block].remove(request)
                if not self.users[block]:
                    self.stamp[block] = self.tick()


def paths_of(rng, requests):
    """Random prompts over two letters: ids of their prefixes."""
    seen: dict[tuple, int] = {}
    words = [tuple(rng.integers(0, 2, rng.integers(0, 5)).tolist()) for _ in range(requests)]
    return [[seen.setdefault(word[: i + 1], len(seen)) for i in range(len(word))] for word in words]


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from([(1, 1), (1, 3), (4, 4), (4, 8), (2, 8)]))
def test_the_cache_is_the_slow_one(seed, sizes):
    """Claim: after any admissions, chunks, decodes, preemptions and departures, the same tokens of every waiting one
    are found, now and once more blocks are taken, and the same blocks are booked, each shared one once."""
    rng = np.random.default_rng(seed)
    block, prefix = sizes
    requests = 14
    paths = paths_of(rng, requests)
    prompt = [len(path) * prefix + int(rng.integers(1, prefix + 3)) for path in paths]
    capacity = int(rng.integers(-(-max(prompt) // block) + 2, 4 * -(-max(prompt) // block) + 4))
    fast, slow = Desk(capacity, block, prefix, paths), Slow(capacity, block, prefix, paths)
    hits = 0
    for _ in range(70):
        request = int(rng.integers(requests))
        free = fast.ledger.free_blocks
        if request not in fast.cached:
            most = int(rng.integers(0, prompt[request]))
            taken = int(rng.integers(0, capacity + 1))
            for after in (0, min(taken, free)):
                found = fast.cache.tokens_of(request, most, after)
                assert found == slow.tokens_of(request, most, after)
            found = fast.cache.tokens_of(request, most)
            reused = found if rng.random() < 0.7 else fast.cache.tokens_of(request, int(rng.integers(0, found + 1)))
            tokens = int(rng.integers(1, prompt[request] - reused + 1))
            reserve = int(rng.integers(0, prompt[request] + 5)) if rng.random() < 0.3 else 0
            if -(-max(reused + tokens, reserve) // block) <= free:
                hits += reused
                fast.admit(request, reused, tokens, reserve)
                slow.admit(request, reused, tokens, reserve)
        elif rng.random() < 0.4:
            kept = bool(rng.random() < 0.5)
            fast.leave(request, kept)
            slow.leave(request, kept)
        elif (left := prompt[request] - fast.cached[request]) > 0:
            tokens = int(rng.integers(1, left + 1))
            if -(-tokens // block) + 1 <= free:
                fast.process(request, tokens)
                slow.process(request, tokens)
        elif free:
            fast.decode(request)
            slow.decode(request)
        fast.check()
        assert fast.ledger.used_blocks == slow.used()
        assert fast.firsts == {path[0] for path in paths if path and path[0] in slow.users}
        for other in set(range(requests)) - fast.cached.keys():
            assert fast.cache.tokens_of(other, 10**6) == slow.tokens_of(other, 10**6)


PATHS = [[0, 1], [0, 1, 2], [3], [0, 4]]


def desk(capacity_blocks=20):
    """Ledger blocks of 4, prefix blocks of 8."""
    return Desk(capacity_blocks, 4, 8, PATHS)


def test_shared_blocks_are_booked_once():
    """Claim: by hand. 17 tokens take 5 blocks; a second request with the same 16 first takes one more, not five."""
    here = desk()
    here.admit(0, 0, 17, 0)
    assert here.ledger.used_blocks == 5
    assert here.cache.tokens_of(1, 100) == 16
    here.admit(1, 16, 2, 0)
    assert here.ledger.used_blocks == 6
    assert here.resident_tokens == 16 + 1 + 2
    here.leave(0, kept=False)
    assert here.ledger.used_blocks == 5
    here.leave(1, kept=False)
    assert here.ledger.used_blocks == 0
    assert here.cache.tokens_of(1, 100) == 16
    here.check()


def test_copies_of_two_at_once_become_one():
    """Claim: two that processed the same prefix side by side hold it twice until they are done with it."""
    here = desk()
    here.admit(0, 0, 7, 0)
    here.admit(1, 0, 7, 0)
    here.process(0, 10)
    assert here.ledger.used_blocks == 5 + 2
    here.process(1, 10)
    assert here.ledger.used_blocks == 5 + 1
    here.check()


def test_the_oldest_go_first_and_a_block_after_its_successors():
    """Claim: by hand: request 2 left before request 0; its block goes first, then the second of 0, then the first."""
    here = desk(8)
    for request, tokens in ((2, 9), (0, 16)):
        here.admit(request, 0, tokens, 0)
        here.leave(request, kept=False)
    found = [[here.cache.tokens_of(request, 100, taken) for request in (2, 1)] for taken in (2, 3, 4, 5, 6, 7, 8)]
    assert found == [[8, 16], [0, 16], [0, 16], [0, 8], [0, 8], [0, 0], [0, 0]]


def test_use_makes_young():
    """Claim: what was used again goes after what was not."""
    here = desk(8)
    for request, reused, tokens in ((2, 0, 9), (0, 0, 16), (2, 8, 1)):
        here.admit(request, reused, tokens, 0)
        here.leave(request, kept=False)
    assert [here.cache.tokens_of(request, 100, 3) for request in (2, 1)] == [8, 8]


def test_only_whole_prefix_blocks_are_shared():
    """Claim: a prompt that is cached to its end recomputes its last block, and shares it in the end."""
    here = desk()
    here.admit(0, 0, 16, 0)
    assert here.cache.tokens_of(1, 15) == 8
    here.admit(1, 8, 8, 0)
    assert here.ledger.used_blocks == 4
    assert here.cache.shared_tokens(1) == 16
    here.check()


def test_a_preempted_request_finds_its_own_blocks_behind_the_shared_ones():
    """Claim: 16 shared tokens and 9 own ones: 2 own blocks are kept, and taken before the shared ones."""
    here = desk(8)
    here.admit(0, 0, 25, 0)
    here.leave(0, kept=True)
    assert [here.cache.tokens_of(0, 100, taken) for taken in range(9)] == [24, 24, 24, 20, 16, 8, 8, 0, 0]
    assert here.cache.tokens_of(1, 100) == 16
    here.admit(0, 20, 1, 0)
    here.check()
    assert here.cache.tokens_of(1, 100) == 16


def test_blocks_must_divide():
    """Claim: a prefix block of part of a KV block is refused."""
    with pytest.raises(InputError, match="prefix blocks of 24 tokens cannot be cached in KV blocks of 16"):
        PrefixCache(KVLedger(160, 16), 24, PATHS.__getitem__, print)


def test_the_check_finds_what_is_wrong():
    """Claim: the check is not vacuous."""
    here = desk()
    here.admit(0, 0, 17, 0)
    here.cache.take(1)
    with pytest.raises(AssertionError, match="free blocks miscounted"):
        here.cache.check_integrity(here.ledger.free_blocks)
