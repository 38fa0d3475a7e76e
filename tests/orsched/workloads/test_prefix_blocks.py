"""Prefix blocks of a workload: checks, parts and resamples, files, and those of the Mooncake traces."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.workloads import Limits, PrefixBlocks, Workload, read_workload, workload, write_workload
from orsched.workloads.files import FORMATS

prompts = st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=12)
"""Prompts as words: two share an id exactly as far as they agree."""


def blocks_of(words, block_tokens=4):
    """Ids of all prefixes of every word, as different numbers."""
    seen: dict[tuple, int] = {}
    ids = [[seen.setdefault(tuple(word[: i + 1]), 7 * len(seen)) for i in range(len(word))] for word in words]
    return PrefixBlocks.of(block_tokens, [number for row in ids for number in row], [len(row) for row in ids])


def work_of(words, block_tokens=4):
    n = len(words)
    lengths = [block_tokens * len(word) + 1 for word in words]
    return Workload.of(np.arange(n) * 0.5, lengths, [3] * n, prefix_blocks=blocks_of(words, block_tokens))


def agreement(blocks, one, other):
    """Blocks at the start that two requests share."""
    a, b = blocks.of_request(one), blocks.of_request(other)
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def common(one, other):
    return next((i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))


@given(prompts)
def test_ids_say_how_far_prompts_agree(words):
    """Claim: two requests share as many ids as their prompts share blocks; ids are 0, 1, ... as they first appear."""
    blocks = blocks_of(words)
    for one in range(len(words)):
        for other in range(len(words)):
            assert agreement(blocks, one, other) == common(words[one], words[other])
    first = list(dict.fromkeys(blocks.ids.tolist()))
    assert first == list(range(len(first)))
    distinct = {tuple(word[: i + 1]) for word in words for i in range(len(word))}
    assert blocks.repeated_share == pytest.approx(1 - len(distinct) / len(blocks.ids) if len(blocks.ids) else 0)


@given(prompts, st.randoms(use_true_random=False))
def test_parts_keep_their_blocks(words, random):
    """Claim: head, slice, take, at_rate and with_name keep each request's own ids."""
    work = work_of(words)
    rows = np.array([random.randrange(len(words)) for _ in range(len(words) + 2)])
    part = work.take(rows, np.arange(len(rows)) * 1.0)
    assert [part.prefix_blocks.of_request(i) for i in range(len(rows))] == [
        work.prefix_blocks.of_request(row) for row in rows
    ]
    half = (len(words) + 1) // 2
    assert work.head(half).prefix_blocks.of_request(half - 1) == work.prefix_blocks.of_request(half - 1)
    assert work.with_name("x").prefix_blocks is work.prefix_blocks
    if len(words) > 1:
        assert work.at_rate(3.0).prefix_blocks is work.prefix_blocks
        assert work.slice(1, len(words)).prefix_blocks.of_request(0) == work.prefix_blocks.of_request(1)


@given(prompts.filter(lambda words: len(words) > 1), st.integers(0, 2**20), st.integers(1, 40))
def test_resamples_share_within_a_lap_only(words, seed, n):
    """Claim: a resample's requests agree as far as the originals do if they are of one lap, else not at all."""
    work = work_of(words)
    size = len(words)
    path = work.resample(n, np.random.default_rng(seed))
    starts = np.random.default_rng(seed).integers(0, size, size=-(-n // size))
    rows = np.concatenate([(s + np.arange(min(size, n))) % size for s in starts])[:n]
    for one in range(n):
        for other in range(n):
            same = one // size == other // size
            expected = common(words[rows[one]], words[rows[other]]) if same else 0
            assert agreement(path.prefix_blocks, one, other) == expected


def test_unsorted_arrivals_take_their_blocks_along():
    """Claim: sorting by arrival sorts the blocks too."""
    blocks = PrefixBlocks.of(4, [5, 6, 5], [2, 1])
    work = Workload.of([1.0, 0.0], [8, 4], [1, 1], prefix_blocks=blocks)
    assert [work.prefix_blocks.of_request(i) for i in (0, 1)] == [[0], [0, 1]]


@pytest.mark.parametrize(
    ("ids", "counts", "message"),
    [
        ([1, 2, 3], [1, 1], "counts add up to 2"),
        ([1], [2, -1], "must be >= 0"),
        ([1.5], [1], "whole numbers"),
        ([[1]], [1], "whole numbers"),
        ([1, 2, 2], [2, 1], "prefix block 2 of request 2 does not follow"),
        ([1, 2, 3, 2], [2, 2], "prefix block 2 of request 2 does not follow"),
        ([8, 8], [2], "prefix block 8 of request 1 does not follow"),
        ([1, 2, 2, 1], [2, 2], "prefix block 2 of request 2 does not follow"),
    ],
)
def test_what_is_no_chain_is_refused(ids, counts, message):
    """Claim: counts that do not add up, and an id with two predecessors, are errors that name the request."""
    with pytest.raises(InputError, match=message):
        PrefixBlocks.of(16, ids, counts)


def test_sizes_are_checked():
    """Claim: no block of 0 tokens, no more blocks than the prompt has, one row for each request."""
    with pytest.raises(InputError, match=r"PrefixBlocks.block_tokens = 0"):
        PrefixBlocks.of(0, [1], [1])
    with pytest.raises(InputError, match="request 2 has 2 prefix blocks: its prompt of 4 tokens has at most 1 of 4"):
        Workload.of([0.0, 1.0], [5, 4], [1, 1], prefix_blocks=PrefixBlocks.of(4, [0, 1, 0, 1], [2, 2]))
    with pytest.raises(InputError, match="of 1 requests were given for 2"):
        Workload.of([0.0, 1.0], [5, 4], [1, 1], prefix_blocks=PrefixBlocks.of(4, [0], [1]))


def test_a_workload_without_blocks_stays_without():
    """Claim: nothing is shared unless said, in parts and resamples too."""
    work = Workload.of([0.0, 1.0], [5, 4], [1, 1])
    assert work.prefix_blocks is None
    assert work.resample(5, np.random.default_rng(0)).prefix_blocks is None


@pytest.mark.parametrize(("suffix", "block"), [(suffix, block) for suffix in FORMATS for block in (16, 512)])
def test_files_carry_blocks(suffix, block, tmp_path):
    """Claim: every format gives back the ids and the block size."""
    work = work_of([[0, 1, 1], [], [0, 1, 2, 2], [2]], block)
    write_workload(work, tmp_path / f"w{suffix}")
    read = read_workload(tmp_path / f"w{suffix}").prefix_blocks
    assert read.block_tokens == block
    assert np.array_equal(read.ids, work.prefix_blocks.ids)
    assert np.array_equal(read.offsets, work.prefix_blocks.offsets)


def mooncake(tmp_path, *hash_ids, suffix=".jsonl", **more):
    rows = [
        {"timestamp": 1000 * i, "input_length": 1024, "output_length": 3, "hash_ids": ids} | more
        for i, ids in enumerate(hash_ids)
    ]
    path = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    elif suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_mooncake_files_have_blocks_of_512(tmp_path, suffix):
    """Claim: a Mooncake file's hash_ids are read as blocks of 512 tokens, whatever the numbers."""
    work = read_workload(mooncake(tmp_path, [2**62, 9], [2**62, 3], [4], suffix=suffix))
    assert work.prefix_blocks.block_tokens == 512
    assert [work.prefix_blocks.of_request(i) for i in range(3)] == [[0, 1], [0, 2], [3]]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([1, 2, 3], "row 2.*column hash_ids: 3 ids, a prompt of 1024 tokens has at most 2 blocks of 512"),
        ([-1], "row 2.*column hash_ids: not a list of whole numbers >= 0"),
        ([0.5], "row [12].*column hash_ids: not a list of whole numbers >= 0"),
        ([2], "column hash_ids: prefix block 2 of request 2 does not follow"),
    ],
)
def test_bad_ids_name_their_row(tmp_path, suffix, second, message):
    """Claim: too many ids, negative ones, fractions and broken chains are refused with row and column."""
    with pytest.raises(InputError, match=message):
        read_workload(mooncake(tmp_path, [1, 2], second, suffix=suffix))


@pytest.mark.parametrize("cell", [None, "x", "[1", 3, True, [True], ["1"], [[1]], {"a": 1}, [2**63], "[" * 10**5])
def test_what_is_no_list_of_ids_is_refused(tmp_path, cell):
    """Claim: any other JSON value is refused in one line, nothing is evaluated."""
    with pytest.raises(InputError, match=r"row 2.*hash_ids: not a list") as error:
        read_workload(mooncake(tmp_path, [1], cell))
    assert str(error.value).isprintable()


def test_block_sizes_may_not_differ(tmp_path):
    """Claim: one block size for the whole file."""
    path = tmp_path / "t.jsonl"
    row = {"arrival_s": 0, "input_tokens": 40, "output_tokens": 1, "hash_ids": [1]}
    path.write_text("\n".join(json.dumps(row | {"hash_block_tokens": size}) for size in (16, 32)))
    with pytest.raises(InputError, match="hash_block_tokens: 32 but row 1 has 16"):
        read_workload(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_list_items_are_limited(tmp_path, suffix):
    """Claim: lists are counted before they fill the memory."""
    path = mooncake(tmp_path, [1, 2], [1, 2], suffix=suffix)
    assert read_workload(path, limits=Limits(list_items=4)).prefix_blocks is not None
    with pytest.raises(InputError, match="hash_ids has more than 3 list items"):
        read_workload(path, limits=Limits(list_items=3))


@pytest.mark.parametrize(
    ("name", "blocks", "repeated"),
    [("mooncake-conversation", 190_600, 66_785), ("mooncake-synthetic", 121_877, 77_953)],
)
def test_blocks_of_the_bundled_traces(name, blocks, repeated):
    """Claim: as their README prints: ceil(input / 512) ids for every request, 35.0% and 64.0% of them repeated."""
    work = workload(name)
    found = work.prefix_blocks
    assert np.array_equal(found.counts, -(-work.input_tokens // 512))
    assert len(found.ids) == blocks
    assert round(found.repeated_share * blocks) == repeated
    seen, hits = set(), 0
    for request in range(len(work)):
        ids = found.of_request(request)
        hits += next((i for i, block in enumerate(ids) if block not in seen), len(ids))
        seen.update(ids)
    assert hits == repeated
