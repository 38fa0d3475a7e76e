"""Control turned inside out: a computation that asks questions, driven by whoever answers them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


class _Stopped(BaseException):
    """Unwinds a computation whose answers will never come."""


_STOP = object()


class _Line(Generic[Question, Answer]):
    """What the two sides share. It knows neither of them."""

    __slots__ = ("answers", "sayings")

    def __init__(self) -> None:
        self.sayings: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.answers: SimpleQueue[Any] = SimpleQueue()

    def ask(self, question: Question) -> Answer:
        """Say the question and wait for its answer."""
        self.sayings.put(("asks", question))
        answer = self.answers.get()
        if answer is _STOP:
            raise _Stopped
        return answer  # type: ignore[no-any-return]


class Conversation(Generic[Question, Answer, Result]):
    """Runs ``play(ask)`` in a thread of its own, which stands still except while an answer is being awaited.

    So at any time only one of the two sides runs. The thread ends when the computation does, at `close`, and when
    nobody holds the conversation any more.

    Parameters
    ----------
    play : callable
        ``play(ask) -> result``, where ``ask(question)`` returns the answer. It must not refer to the conversation or
        to whoever holds it, and must let exceptions pass that are no `Exception`.

    Attributes
    ----------
    question : Question or None
        What is to be answered; None when the computation is over.
    result : Result or None
        What it returned, once it is over.
    """

    def __init__(self, play: Callable[[Callable[[Question], Answer]], Result]) -> None:
        self.question: Question | None = None
        self.result: Result | None = None
        self._line: _Line[Question, Answer] = _Line()
        thread = threading.Thread(target=_work, args=(play, self._line), name="orsched conversation", daemon=True)
        self._hang_up = weakref.finalize(self, _hang_up, self._line, thread)
        thread.start()
        self._listen()

    def answer(self, answer: Answer) -> None:
        """Answer the question; returns when there is another one, or the result.

        Raises
        ------
        Exception
            What the computation raises; it is over then.
        """
        if self.question is None:
            raise RuntimeError("there is no question to answer")
        self.question = None
        self._line.answers.put(answer)
        self._listen()

    def close(self) -> None:
        """Break off; the thread has ended when this returns. Closing twice is the same as once."""
        self.question = None
        self._hang_up()

    def _listen(self) -> None:
        try:
            kind, said = self._line.sayings.get()
        except BaseException:  # the user's interrupt: the two sides would be out of step from here on
            self.close()
            raise
        if kind == "asks":
            self.question = said
            return
        self.close()
        if kind == "fails":
            raise said
        self.result = said


def _work(play: Callable[[Callable[[Any], Any]], Any], line: _Line[Any, Any]) -> None:
    try:
        said = ("returns", play(line.ask))
    except _Stopped:
        return
    except BaseException as error:  # raised again on the other side
        said = ("fails", error)
    line.sayings.put(said)


def _hang_up(line: _Line[Any, Any], thread: threading.Thread) -> None:
    line.answers.put(_STOP)
    if thread is not threading.current_thread():
        thread.join()
