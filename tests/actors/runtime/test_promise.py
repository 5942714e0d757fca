"""Promises: answered once, from any thread, by a thread that never waits for the one that waits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from support.actors import in_threads
from support.domain import NOON

from odradek_actors.errors import RequestTimedOut
from odradek_actors.messages.core import Reply
from odradek_actors.messages.producers import Receipt
from odradek_actors.runtime.promise import Promise


def test_a_promise_takes_the_first_answer_only() -> None:
    promise: Promise[int] = Promise()
    promise.tell(Reply(0, 1))
    promise.tell(Reply(0, 2))
    promise.tell(ArithmeticError("late"))

    assert promise.result() == 1
    with pytest.raises(concurrent.futures.InvalidStateError):
        promise.set_result(3)


def note(calls: list[int], promise: Promise[int]) -> None:
    calls.append(promise.result())


def test_only_the_first_of_concurrent_answers_counts_and_callbacks_run_once() -> None:
    for _ in range(200):
        promise: Promise[int] = Promise()
        calls: list[int] = []
        promise.add_done_callback(partial(note, calls))
        in_threads(partial(promise.tell, 1), partial(promise.tell, 2), partial(promise.result, 10))
        assert calls == [promise.result()]


def test_a_timeout_error_that_is_the_answer_is_not_a_time_out_of_the_wait() -> None:
    answered: Promise[int] = Promise()
    answered.tell(TimeoutError("of another"))
    with pytest.raises(TimeoutError, match="of another"):
        answered.result(1)

    waiting: Promise[int] = Promise()
    with pytest.raises(RequestTimedOut):
        waiting.result(0)
    with pytest.raises(RequestTimedOut):
        waiting.exception(-1)


def test_an_answer_is_converted_and_an_error_is_not() -> None:
    first: Promise[int] = Promise(lambda values: values[0])
    first.tell([7, 8])
    failed: Promise[int] = Promise(lambda values: values[0])
    failed.tell(ArithmeticError("no"))

    assert first.result() == 7
    assert isinstance(failed.exception(), ArithmeticError)


def test_an_answer_that_cannot_be_converted_is_an_error() -> None:
    first: Promise[int] = Promise(lambda values: values[0])
    first.tell([])
    assert isinstance(first.exception(), IndexError)


def test_a_promise_cannot_be_cancelled() -> None:
    promise: Promise[int] = Promise()
    assert not promise.cancel()
    assert (promise.cancelled(), promise.running(), promise.done()) == (False, True, False)
    promise.tell(1)
    assert (promise.result(), promise.running(), promise.done()) == (1, False, True)


def test_a_cancelled_asyncio_task_leaves_the_promise_to_its_answer() -> None:
    promise: Promise[int] = Promise()

    async def wait_too_short() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(promise), 0.01)

    asyncio.run(wait_too_short())
    promise.tell(3)
    assert promise.result(0) == 3


def test_asyncio_gets_the_answer() -> None:
    promise: Promise[int] = Promise()

    async def wait() -> int:
        future = asyncio.wrap_future(promise)
        await asyncio.get_running_loop().run_in_executor(None, promise.tell, 5)
        return await asyncio.wait_for(future, 10)

    assert asyncio.run(wait()) == 5


@pytest.mark.parametrize("error", [ArithmeticError("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_callback_raises_stays_with_the_callback(error: BaseException) -> None:
    promise: Promise[int] = Promise()
    after: list[int] = []

    def fail(_: object) -> None:
        raise error

    promise.add_done_callback(fail)
    promise.add_done_callback(lambda done: after.append(done.result()))
    promise.tell(1)

    assert after == [1]


def test_a_callback_added_late_runs_at_once() -> None:
    promise: Promise[int] = Promise()
    promise.tell(1)
    calls: list[int] = []
    promise.add_done_callback(lambda done: calls.append(done.result()))
    assert calls == [1]


class AddsACallback:
    """Stands for a waiter of `concurrent.futures.wait`, which is called after the answer and before the callbacks."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self.seen: list[str] = []

    def add_result(self, promise: Promise[int]) -> None:
        promise.add_done_callback(lambda _: self.calls.append("late"))
        self.seen = list(self.calls)


def test_a_callback_added_late_leaves_earlier_ones_to_the_thread_that_answers() -> None:
    """Otherwise an interruption of the adding thread would lose them: a producer's buffer would stay reserved."""
    promise: Promise[int] = Promise()
    calls: list[str] = []
    promise.add_done_callback(lambda _: calls.append("early"))
    waiter = AddsACallback(calls)
    with promise._condition:
        promise._waiters.append(waiter)

    promise.tell(1)

    assert waiter.seen == ["late"]
    assert calls == ["late", "early"]


def waits_for_all(promises: list[Promise[int]]) -> None:
    assert not concurrent.futures.wait(promises, 10).not_done


def waits_for_first_error(promises: list[Promise[int]]) -> None:
    concurrent.futures.wait(promises, 10, return_when=concurrent.futures.FIRST_EXCEPTION)
    assert any(promise.done() for promise in promises)


def takes_as_completed(promises: list[Promise[int]]) -> None:
    futures: list[concurrent.futures.Future[int]] = [*promises]
    taken = list(concurrent.futures.as_completed(futures, 10))
    assert sorted(map(id, taken)) == sorted(map(id, promises))


@pytest.mark.parametrize("wait", [waits_for_all, waits_for_first_error, takes_as_completed])
def test_concurrent_futures_can_wait_for_promises(wait: Callable[[list[Promise[int]]], None]) -> None:
    """Answers race with the waiters' look at the promises: none may be missed or delivered twice."""
    for _ in range(100):
        promises: list[Promise[int]] = [Promise() for _ in range(6)]
        promises[0].tell(0)

        def answer(promises: list[Promise[int]] = promises) -> None:
            for promise in promises[1:5]:
                promise.tell(1)
            promises[5].tell(ArithmeticError("last"))

        in_threads(answer, partial(wait, promises), partial(waits_for_all, promises))


def test_a_thread_interrupted_while_it_waits_leaves_nothing_that_the_answer_waits_for() -> None:
    """Whatever locks such a caller leaves held, answering takes none of them."""
    promise: Promise[int] = Promise()
    assert promise._condition.acquire()  # as `concurrent.futures.wait` does, and is interrupted
    promise._seen_by_waiters = None
    answered = threading.Thread(target=promise.tell, args=(1,), daemon=True)
    answered.start()
    answered.join(10)
    assert promise.result(0) == 1


def test_a_promise_shows_its_answer() -> None:
    pending: Promise[int] = Promise()
    kept: Promise[int] = Promise()
    kept.tell(3)
    failed: Promise[int] = Promise()
    failed.tell(ValueError("no"))

    assert [repr(promise) for promise in (pending, kept, failed)] == [
        "<Promise pending>",
        "<Promise 3>",
        "<Promise failed: ValueError('no')>",
    ]


def test_a_promise_of_many_receipts_shows_the_first() -> None:
    sent: Promise[list[Receipt]] = Promise()
    first, *others = (Receipt("orders", 0, offset, offset, NOON) for offset in range(1000))
    sent.tell([first, *others])
    assert repr(sent) == f"<Promise [{first!r}, ...]>"


@pytest.mark.parametrize("timeout", ["5", float("nan"), [], True, 1j])
def test_a_timeout_that_is_no_number_of_seconds_is_named(timeout: Any) -> None:
    promise: Promise[None] = Promise()
    promise.tell(None)
    for ask in (promise.result, promise.exception):
        with pytest.raises((TypeError, ValueError), match="timeout must be a number of seconds"):
            ask(timeout)


@pytest.mark.parametrize("timeout", [0, -1.5, 10**400, float("inf")])
def test_a_timeout_may_be_over_already_or_without_end(timeout: float) -> None:
    promise: Promise[int] = Promise()
    promise.tell(1)
    assert promise.result(timeout) == 1
