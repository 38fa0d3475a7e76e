"""Who computes tasks elsewhere: the workers of a Dask cluster."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any

from experiments.execution.attempt import Attempt, OtherCodeError, Task, attempt, failed, require_code
from experiments.execution.backend import BackendError
from orsched.errors import InputError

CONNECT_S = 10
"""Seconds to reach the scheduler, and to reach it again after the connection was lost."""

AHEAD = 4
"""Tasks handed out per thread of the cluster."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers of a running Dask scheduler; they send their results back and write nothing.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://host:port``.
    """

    address: str

    def __post_init__(self) -> None:
        host, _, port = self.address.removeprefix("tcp://").rpartition(":")
        if not self.address.startswith("tcp://") or not host or not port.isdigit():
            raise InputError(f"cluster {self.address!r}: must be the address of a Dask scheduler, tcp://host:port")
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise InputError("a cluster needs Dask distributed: pip install 'orsched[cluster]'") from None

    def attempts(self, tasks: Iterable[Task], code: str) -> Generator[Attempt, None, None]:
        """Attempt every task; a task whose worker dies is given to another, four times at most."""
        import dask

        distributed: Any = import_module("distributed")  # its calls carry no types
        _silence()
        limits = {"distributed.comm.timeouts.connect": f"{CONNECT_S}s", "distributed.comm.retry.count": 0}
        with dask.config.set(limits):
            try:
                client = distributed.Client(self.address, timeout=CONNECT_S, set_as_default=False)
            except (OSError, TimeoutError):
                raise BackendError(f"no Dask scheduler answers at {self.address}") from None
            try:
                self._require_workers(client, code)
                yield from self._results(client, iter(tasks), code)
            finally:
                client.close(timeout=1)

    def _require_workers(self, client: Any, code: str) -> None:
        """Refuse a cluster without workers, and workers without this very code."""
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
            answers = client.run(_answer, code, on_error="return")
        except (OSError, TimeoutError):
            raise BackendError(f"no worker is connected to the Dask scheduler at {self.address}") from None
        for worker, answer in sorted(answers.items()):
            if isinstance(answer, Exception):
                raise OtherCodeError(f"worker {worker} cannot run orsched: {str(answer) or repr(answer)}")
            if answer:
                raise OtherCodeError(f"worker {worker}: {answer}")

    def _results(self, client: Any, tasks: Iterator[Task], code: str) -> Generator[Attempt, None, None]:
        run = secrets.token_hex(4)  # another runner may ask the same cluster for the same tasks
        ahead = AHEAD * max(1, sum(client.nthreads().values()))
        names: dict[str, str] = {}

        def hand_out(count: int) -> list[Any]:
            futures = []
            for task in islice(tasks, count):
                futures.append(client.submit(attempt, task, code, key=f"orsched-{run}-{task.id}", pure=False))
                names[str(futures[-1].key)] = task.id
            return futures

        working = import_module("distributed").as_completed(hand_out(ahead), loop=client.loop)
        for batch in working.batches():
            yield from self._fetched(client, batch, names)
            working.update(hand_out(len(batch)))

    def _fetched(self, client: Any, batch: Iterable[Any], names: dict[str, str]) -> Iterator[Attempt]:
        """What became of the tasks of `batch`, with one request for all of them."""
        futures = list(batch)
        lost = BackendError(
            f"the connection to the Dask scheduler at {self.address} is lost; what was finished is kept"
        )
        if any(future.status in ("cancelled", "lost") for future in futures):
            raise lost
        try:
            found = client.gather([future for future in futures if future.status == "finished"])
        except (OSError, CancelledError):
            raise lost from None
        for future in futures:
            name = names.pop(str(future.key))
            if future.status != "finished":
                yield _failed(name, future.exception())
        yield from (Attempt(*one) for one in found)


def _failed(task: str, error: BaseException) -> Attempt:
    """What Dask itself says of a task, as that all workers died on it."""
    if isinstance(error, OtherCodeError):
        raise error
    return failed(task, error)


def _silence() -> None:
    """Keep Dask from writing of lost connections what becomes one line here."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _answer(code: str) -> str:
    """What a worker has against computing with version `code`; nothing if all is well."""
    try:
        require_code(code)
    except OtherCodeError as error:
        return str(error)
    return ""
