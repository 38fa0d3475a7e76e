"""Room for others: when a decode epoch ends for the sake of requests that leave, come or wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.epoch import Epoch
    from orsched.engine.instance import Instance


def beside_others(instance: Instance, epoch: Epoch, steps: int, blocks: int) -> tuple[int, int]:
    """Cut a decode epoch short before it keeps others from leaving, or takes memory that they count on.

    Parameters
    ----------
    instance : Instance
        Where it begins.
    epoch : Epoch
        Who decodes.
    steps, blocks : int
        Iterations that could run, and the blocks that they grow by, which are free.

    Returns
    -------
    steps, blocks : int
        Those that do run, at least one.
    """
    dock, prefixes = instance.dock, instance.store.prefixes
    if dock.leaving:
        steps, blocks = 1, epoch.need(1)
    if dock.expected or dock.landed:
        # Those that pause could not grow any more: then there is less room for those that come.
        paused = instance.growth_blocks() - epoch.need(1)
        if blocks > (room := instance.ledger.free_blocks - paused):
            steps = max(1, epoch.most_steps(steps, room))
            blocks = epoch.need(steps)
    if prefixes is not None and any(instance.queues) and blocks > (room := prefixes.blocks_before_loss()):
        # A prefix lost may change who is admitted, also for a policy that looks an iteration ahead.
        steps = max(1, epoch.most_steps(steps, room))
        blocks = epoch.need(steps)
    return steps, blocks
