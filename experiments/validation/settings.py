"""The settings of a vLLM engine, and what they mean for a simulated one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.catalogue import Hardware
from orsched.checks import check_whole
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from policies.parts.token_budget import TokenBudget
from policies.routers import join_shortest_queue

MOST_RANKS = 1024
"""Most data-parallel ranks that are simulated."""

NULL_BLOCKS = 1
"""KV blocks of a vLLM engine that no request can have (``BlockPool.null_block``)."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a vLLM v1 server was started; counts are per data-parallel rank, as its options are.

    Parameters
    ----------
    max_num_seqs, max_num_batched_tokens : int
        Most running requests, and token budget of an iteration.
    num_gpu_blocks : int, optional
        KV blocks, as the engine logs them when it starts; None: the KV capacity of the hardware entry.
    block_size : int
        Tokens in a block.
    data_parallel : int
        Ranks, at most `MOST_RANKS`.
    expert_parallel : bool
        Whether the ranks share the experts of a mixture model. Then they run every iteration together, and the
        hardware entry stands for all of them as one instance. Otherwise each rank is an instance of its own.
    prefix_caching : bool
        Whether preempted requests find again what nobody has overwritten. Shared prefixes of different requests are
        not in a log and not modelled.
    reserve_prompt : bool
        Whether a request is admitted only when its whole prompt fits (``scheduler_reserve_full_isl``, the default of
        vLLM 0.19), or as soon as its first chunk does.
    """

    max_num_seqs: int
    max_num_batched_tokens: int
    num_gpu_blocks: int | None = None
    block_size: int = 16
    data_parallel: int = 1
    expert_parallel: bool = False
    prefix_caching: bool = True
    reserve_prompt: bool = True

    def __post_init__(self) -> None:
        check_whole(self, "max_num_batched_tokens")
        check_whole(self, "max_num_seqs", most=self.max_num_batched_tokens)
        check_whole(self, "block_size")
        check_whole(self, "data_parallel", most=MOST_RANKS)
        if self.num_gpu_blocks is not None:
            check_whole(self, "num_gpu_blocks", least=1 + NULL_BLOCKS)

    @property
    def pooled(self) -> int:
        """Ranks that one simulated instance stands for."""
        return self.data_parallel if self.expert_parallel else 1

    def fleet(self, entry: Hardware) -> Fleet:
        """The instances: `entry` with these settings in place of its own.

        Raises
        ------
        InputError
            When a block is larger than the whole KV memory.
        """
        capacity = entry.kv_capacity_tokens
        if self.num_gpu_blocks is not None:
            capacity = (self.num_gpu_blocks - NULL_BLOCKS) * self.block_size * self.pooled
        if self.block_size > capacity:
            raise InputError(f"block size {self.block_size}: {entry.name} has {capacity} KV tokens in all")
        hardware = replace(
            entry,
            max_num_seqs=self.max_num_seqs * self.pooled,
            kv_capacity_tokens=capacity,
            block_tokens=self.block_size,
            keeps_preempted_kv=self.prefix_caching,
        )
        return Fleet.identical(hardware, self.data_parallel // self.pooled)

    def policy(self) -> Policy:
        """First come first served as vLLM v1 does it under these settings; arrivals go to the least loaded rank."""
        batch = TokenBudget(
            self.max_num_batched_tokens * self.pooled, self.max_num_seqs * self.pooled, self.reserve_prompt
        )
        return Policy("vllm-v1", batch, route=join_shortest_queue)
