"""Which cache an instance has beside its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.engine.prefix_cache import PrefixCache
from orsched.engine.retained import RetainedKV

if TYPE_CHECKING:
    from orsched.catalogue import Hardware
    from orsched.engine.requests import Requests
    from orsched.memory import KVLedger


def cache_for(hardware: Hardware, ledger: KVLedger, requests: Requests, index: int) -> RetainedKV | PrefixCache | None:
    """Return an empty cache for what instance `index` keeps of the requests' KV; None when it keeps nothing.

    Raises
    ------
    InputError
        When the workload's prefix blocks are no whole number of the ledger's blocks.
    """
    if hardware.keeps_prefixes and requests.prefix_block_tokens is not None:
        holders = requests.prefix_holders

        def report(block: int, cached: bool) -> None:
            if cached:
                holders.setdefault(block, set()).add(index)
            else:
                holders[block].remove(index)

        return PrefixCache(ledger, requests.prefix_block_tokens, requests.prefix_path, report)
    if hardware.keeps_preempted_kv:
        return RetainedKV(ledger.capacity_blocks, ledger.block_tokens)
    return None
