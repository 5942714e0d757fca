"""Case H: following a growing log without loss or repeats, and waiting for a position."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from odradek_events.errors import LogUnavailable, PositionNotReached, UnknownEventType
from odradek_events.log.port import LogStore
from odradek_events.record import Query, QueryItem
from odradek_events.testing.samples import PATIENCE, append, codec_that_knows, created, produced
from odradek_events.testing.suite import LogSuite
from odradek_events.types import TopicCreated

__all__ = ["SubscriptionCases"]


class SubscriptionCases(LogSuite):
    """What every log guarantees to subscribers.

    The tests write to `log` and read from `followed`. By default they are the same log. A store that other processes
    can read should run a second suite, in which `followed` is such a reader.
    """

    @pytest.fixture
    def followed(self, log: LogStore) -> LogStore:
        """Return the log to read from."""
        return log

    def test_a_subscription_returns_existing_events_and_then_new_ones(self, log: LogStore, followed: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        with followed.subscribe() as subscription:
            assert [subscription.take(PATIENCE) for _ in range(2)] == list(log.read())
            assert subscription.take(0) is None
            append(log, "topic/b", created("b"))
            found = subscription.take(PATIENCE)
            assert found is not None
            assert (found.position, found.stream) == (2, "topic/b")
            assert subscription.position == 2

    def test_a_subscription_starts_after_the_given_position(self, log: LogStore, followed: LogStore) -> None:
        append(log, "topic/a", created("a"), *(produced(n, "a") for n in range(4)))
        with followed.subscribe(after=2) as subscription:
            found = [subscription.take(0) for _ in range(3)]
            assert [item and item.position for item in found] == [3, 4, None]
        with followed.subscribe(after=10) as ahead:
            assert ahead.take(0) is None

    def test_a_subscription_selects_by_type_tag_stream_and_query(self, log: LogStore, followed: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a", producer="p1"), produced(1, "a", producer="p2"))
        append(log, "topic/b", created("b"), produced(0, "b", producer="p2"))
        for selected, positions in (
            (followed.subscribe(types=["TopicCreated"]), [0, 3]),
            (followed.subscribe(tags=["producer:p2"], types=["MessageProduced"]), [2, 4]),
            (followed.subscribe(stream="topic/b"), [3, 4]),
            (
                followed.subscribe(query=Query((QueryItem((), ("producer:p1",)), QueryItem((), ("topic:b",))))),
                [1, 3, 4],
            ),
        ):
            with selected as subscription:
                found = [subscription.take(0) for _ in range(len(positions) + 1)]
                assert [item and item.position for item in found] == [*positions, None]
                assert subscription.position == 4

    def test_wrong_arguments_are_refused_at_once(self, followed: LogStore) -> None:
        with pytest.raises(TypeError):
            followed.subscribe(types="TopicCreated")

    def test_a_subscriber_sees_every_event_once_while_others_append(self, log: LogStore, followed: LogStore) -> None:
        total = 400
        is_begun = threading.Event()

        def write(name: str) -> None:
            for number in range(total // 4):
                if number == total // 8:
                    is_begun.wait(PATIENCE)  # so that some events come after the first read
                append(log, f"topic/{name}", produced(2 * number, name), produced(2 * number + 1, name))

        seen: list[int] = []
        with ThreadPoolExecutor(2) as pool, followed.subscribe() as subscription:
            writing = [pool.submit(write, name) for name in "ab"]
            while len(seen) <= total:
                is_written = all(writer.done() for writer in writing)  # then no more events follow
                recorded = subscription.take(0 if is_written else 0.01)
                if recorded is not None:
                    seen.append(recorded.position)
                    is_begun.set()
                elif is_written:
                    break
            for writer in writing:
                writer.result()
        lost, repeated = set(range(total)) - set(seen), len(seen) - len(set(seen))
        assert not lost, f"the subscriber never saw positions {sorted(lost)[:10]} of acknowledged appends"
        assert not repeated, f"the subscriber saw {repeated} events more than once"
        assert seen == list(range(total))

    def test_a_subscription_stopped_before_its_first_read_returns_nothing(
        self, log: LogStore, followed: LogStore
    ) -> None:
        append(log, "topic/a", created("a"))
        subscription = followed.subscribe()
        subscription.stop()
        assert list(subscription) == []
        assert subscription.is_stopped

    def test_a_stopped_subscription_returns_no_further_events_and_keeps_its_position(
        self, log: LogStore, followed: LogStore
    ) -> None:
        append(log, "topic/a", *(produced(n, "a") for n in range(5)))
        subscription = followed.subscribe()
        found = [subscription.take(0) for _ in range(2)]
        subscription.stop()
        assert [item and item.position for item in found] == [0, 1]
        assert list(subscription) == []
        assert subscription.position == 1
        assert [r.position for r in followed.read(after=subscription.position)] == [2, 3, 4]

    def test_a_stop_from_another_thread_ends_a_waiting_subscription(self, log: LogStore, followed: LogStore) -> None:
        append(log, "topic/a", created("a"))
        subscription = followed.subscribe()
        begun = threading.Event()

        def consume() -> list[int]:
            seen = []
            for recorded in subscription:
                seen.append(recorded.position)
                begun.set()
            return seen

        with ThreadPoolExecutor(1) as pool, subscription:
            consuming = pool.submit(consume)
            assert begun.wait(PATIENCE)
            subscription.stop()
            assert consuming.result(PATIENCE) == [0]
        subscription.stop()

    def test_an_unknown_type_is_raised_again_and_not_skipped(self, log: LogStore, followed: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"), created("a"))
        followed.codec = codec_that_knows(TopicCreated)
        with followed.subscribe() as subscription:
            found = subscription.take(0)
            assert found is not None
            for _ in range(2):
                with pytest.raises(UnknownEventType, match="position 1 "):
                    subscription.take(0)
            assert subscription.position == 0

    def test_closing_the_log_ends_a_waiting_subscription_with_log_unavailable(self, followed: LogStore) -> None:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(followed.subscribe().take, PATIENCE)
            followed.close()
            with pytest.raises(LogUnavailable, match="closed"):
                waiting.result(PATIENCE)
        with pytest.raises(LogUnavailable, match="closed"):
            followed.wait_for(0, PATIENCE)

    def test_waiting_for_a_position_returns_the_head_once_it_is_reached(
        self, log: LogStore, followed: LogStore
    ) -> None:
        append(log, "topic/a", created("a"))
        assert followed.wait_for(-1, PATIENCE).position == 0
        assert followed.wait_for(0, timeout=0).position == 0
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(followed.wait_for, 2, PATIENCE)
            append(log, "topic/a", produced(0, "a"))
            append(log, "topic/a", produced(1, "a"))
            assert waiting.result(PATIENCE).position == 2

    @pytest.mark.parametrize("timeout", [0, 0.01])
    def test_waiting_for_a_position_times_out_and_says_where_the_log_ends(
        self, log: LogStore, followed: LogStore, timeout: float
    ) -> None:
        append(log, "topic/a", created("a"))
        with pytest.raises(PositionNotReached, match="position 7 was not reached") as raised:
            followed.wait_for(7, timeout)
        assert (raised.value.position, raised.value.head) == (7, 0)
        assert isinstance(raised.value, TimeoutError)

    def test_waiting_for_a_position_can_be_interrupted(self, followed: LogStore) -> None:
        class Interrupted(Exception):
            pass

        def interrupt(*_: object) -> None:
            raise Interrupted

        def wait() -> None:
            killer.start()
            followed.wait_for(7, PATIENCE)

        before = signal.signal(signal.SIGUSR1, interrupt)
        killer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1))
        try:
            with pytest.raises(Interrupted):
                wait()
        finally:
            killer.join()
            signal.signal(signal.SIGUSR1, before)
