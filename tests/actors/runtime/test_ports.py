"""The runtime's ports: what a system refuses, and what it takes from the runtime that it is given."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import pytest
from support.actors import KitRuntime

from odradek import ActorSystem
from odradek_actors.runtime.port import Runtime
from odradek_actors.runtime.promise import Promise
from odradek_actors.runtime.threads import ThreadedRuntime


def test_an_object_that_is_not_a_runtime_is_refused_with_the_missing_methods() -> None:
    not_a_runtime: Any = object()
    with pytest.raises(TypeError, match=r"^runtime must offer budget, bury, .*; object lacks budget, bury"):
        ActorSystem.open(runtime=not_a_runtime)


def test_one_missing_method_is_named() -> None:
    class NoTimers(ThreadedRuntime):
        later: Any = None

    with pytest.raises(TypeError, match=r"; NoTimers lacks later$"):
        ActorSystem.open(runtime=NoTimers())


def test_a_runtime_passed_to_open_stays_open_for_the_next_system() -> None:
    runtime: Runtime = KitRuntime()
    for _ in range(2):
        with ActorSystem.open(runtime=runtime) as system:
            assert system.producer().send("orders", "1").result(10).offset == 0
    told: Promise[str] = runtime.promise()
    runtime.later(0.001, told, "still open")
    assert told.result(10) == "still open"
    runtime.close()


def test_a_runtime_can_be_closed_while_the_first_timer_starts_its_thread() -> None:
    runtime = ThreadedRuntime()
    late: Promise[str] = runtime.promise()

    def close_at_start(frame: FrameType, _event: str, _: object) -> None:
        if frame.f_code is threading.Thread.start.__code__:
            sys.settrace(before)
            runtime.close()

    before = sys.gettrace()
    sys.settrace(close_at_start)
    try:
        runtime.later(0, late, "late")
    finally:
        sys.settrace(before)
    runtime.close()
    assert not late.done()


class CountingRuntime(ThreadedRuntime):
    """Counts the promises that callers get."""

    promises = 0

    def promise(self, convert: Any = None) -> Promise[Any]:
        self.promises += 1
        return super().promise(convert)


def test_every_promise_of_a_handle_comes_from_the_runtime() -> None:
    runtime = CountingRuntime()
    with ActorSystem.open(runtime=runtime) as system:
        for acks, made in ("all", 1), (0, 2):
            producer = system.producer(f"p{made}", acks=acks)  # type: ignore[arg-type]  # literals, in a loop
            producer.send("orders", "1")
            producer.flush()
            before = runtime.promises
            producer.send("orders", "2")
            producer.send_batch("orders", ["3"])
            assert runtime.promises - before == 2 * made
    runtime.close()


def test_a_spawned_client_runs_concurrently_and_its_promise_gives_the_result() -> None:
    runtime = ThreadedRuntime()
    assert runtime.spawn(lambda a, b: a + b, 1, 2).result(10) == 3
    assert isinstance(runtime.spawn(lambda: 1 / 0).exception(10), ZeroDivisionError)
    assert 0 <= runtime.random() < 1
    runtime.close()
