"""Who computes tasks elsewhere: the workers of a Dask cluster."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from typing import Any

from experiments.execution.attempt import Attempt, OtherCodeError, Task, failed, require_code
from experiments.execution.backend import BackendError
from experiments.execution.chunks import Chunks, attempt_all
from orsched.errors import InputError

CONNECT_S = 10
"""Seconds to reach the scheduler, and to reach it again after the connection was lost."""

AHEAD = 4
"""Chunks of tasks handed out per thread of the cluster."""


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
        """Attempt every task; short ones go in chunks (`Chunks`).

        A chunk whose worker dies is given to another worker, four times at most; then so is each of its tasks.
        """
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
        chunks, given = Chunks(tasks), dict[str, list[Task]]()
        numbers = count()

        def hand_out() -> list[Any]:
            ahead = AHEAD * max(1, sum(self._asked(client.nthreads).values()))
            futures = []
            while len(given) < ahead and (chunk := chunks.following()):
                key = f"orsched-{run}-{next(numbers)}"
                futures.append(client.submit(attempt_all, chunk, code, key=key, pure=False))
                given[key] = chunk
            return futures

        working = import_module("distributed").as_completed(hand_out(), loop=client.loop)
        for batch in working.batches():
            yield from self._fetched(client, batch, chunks, given)
            working.update(hand_out())

    def _fetched(
        self, client: Any, batch: Iterable[Any], chunks: Chunks, given: dict[str, list[Task]]
    ) -> Iterator[Attempt]:
        """What became of the tasks of `batch`, with one request for all of them."""
        futures = list(batch)
        if any(future.status in ("cancelled", "lost") for future in futures):
            raise self._lost()
        finished = [future for future in futures if future.status == "finished"]
        for future in futures:
            if future.status != "finished":
                chunk, error = given.pop(str(future.key)), future.exception()
                if isinstance(error, OtherCodeError):
                    raise error
                if (task := chunks.lost(chunk)) is not None:
                    yield failed(task.id, error)
        for future, found in zip(finished, self._asked(client.gather, finished), strict=True):
            chunks.took(given.pop(str(future.key)), found)
            yield from (Attempt(*one) for one, _ in found)

    def _asked(self, request: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return request(*arguments)
        except (OSError, CancelledError):
            raise self._lost() from None

    def _lost(self) -> BackendError:
        return BackendError(
            f"the connection to the Dask scheduler at {self.address} is lost; what was finished is kept"
        )


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
