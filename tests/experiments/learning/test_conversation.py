"""Conversations: one side at a time, no thread left behind, errors on the side that drives."""

import _thread
import gc
import threading
import time
import weakref

import pytest

from experiments.learning.conversation import Conversation


def count_to(last):
    """Ask for a number until the numbers exceed `last`."""

    def play(ask):
        total = 0
        while total <= last:
            total += ask(total)
        return f"at {total}"

    return play


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = threading.active_count()
    yield
    gc.collect()
    assert threading.active_count() == before


def test_questions_are_answered_in_turn():
    """Claim: each answer leads to the next question, the last one to the result, and the thread has ended then."""
    talk, asked = Conversation(count_to(6)), []
    before = threading.active_count()
    while talk.question is not None:
        asked.append(talk.question)
        talk.answer(3)
    assert (asked, talk.result) == ([0, 3, 6], "at 9")
    assert threading.active_count() == before - 1
    with pytest.raises(RuntimeError, match="no question"):
        talk.answer(1)


def test_a_computation_without_questions():
    """Claim: it is over at once."""
    talk = Conversation(lambda ask: 7)
    assert (talk.question, talk.result) == (None, 7)


def test_closing_ends_the_thread_and_unwinds_the_computation():
    """Claim: at `close` the computation leaves its blocks, in its own thread; closing again does nothing."""
    left = []

    def play(ask):
        try:
            ask(1)
        finally:
            left.append(threading.current_thread().name)

    talk = Conversation(play)
    talk.close()
    assert left == ["orsched conversation"]
    talk.close()
    assert talk.question is None


def test_what_nobody_holds_ends():
    """Claim: a conversation that is dropped ends its thread, also as part of a cycle."""
    talk = Conversation(count_to(5))
    gone = weakref.ref(talk)
    before = threading.active_count()
    del talk
    assert gone() is None
    assert threading.active_count() == before - 1

    class Holder:
        def __init__(self):
            self.talk, self.me = Conversation(count_to(5)), self

    Holder()
    gc.collect()
    assert threading.active_count() == before - 1


@pytest.mark.parametrize("answers", [0, 2])
def test_errors_come_out_where_the_answer_was_given(answers):
    """Claim: what the computation raises is raised at the start or by `answer`, and the conversation is over."""

    def play(ask):
        for k in range(answers):
            ask(k)
        raise ZeroDivisionError("on purpose")

    def drive():
        talk = Conversation(play)
        while True:
            talk.answer(0)

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        drive()


def test_an_interrupt_ends_it():
    """Claim: when waiting for the next question is interrupted, the thread ends too."""

    def play(ask):
        ask(1)
        _thread.interrupt_main()
        time.sleep(0.1)
        return ask(2)

    talk = Conversation(play)
    with pytest.raises(KeyboardInterrupt):
        talk.answer(0)
    assert talk.question is None


def test_fifty_at_once():
    """Claim: conversations do not disturb each other."""
    talks = [Conversation(count_to(k)) for k in range(50)]
    while open_ones := [talk for talk in talks if talk.question is not None]:
        for talk in open_ones:
            talk.answer(1)
    assert [talk.result for talk in talks] == [f"at {k + 1}" for k in range(50)]
