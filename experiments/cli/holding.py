"""Interruptions that wait until what may not be interrupted is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptions_held() -> Iterator[None]:
    """Let Ctrl-C wait until the end of the block, where it raises `KeyboardInterrupt`.

    Compiled libraries that are interrupted while they are imported swallow the interruption, or stay half imported.
    Nothing changes where Ctrl-C is ignored, or outside the main thread, which alone is interrupted.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    held: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        signal.raise_signal(signal.SIGINT)
