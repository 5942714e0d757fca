"""The log that fails on request: its effect on appends, reads and reopening, around either store."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.log import START, append, created, produced

import odradek_events.testing
from odradek_events import Append, Appended, Failed, LogStore, MemoryLog, Rejected, SqliteLog
from odradek_events.errors import LogFull, LogUnavailable, OutcomeUnknown, WrongExpectedVersion
from odradek_events.log import FaultyLog
from odradek_events.maintenance.verify import verify
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FaultyLog]:
    """Yield a faulty log around each store."""
    store: LogStore = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db", durability="off")
    with FaultyLog(store) as log:
        yield log


def streams(log: LogStore) -> list[str]:
    return [recorded.stream for recorded in log.read()]


def verdicts(log: LogStore, *names: str) -> list[str]:
    """Append one event to each of these streams in one call, and return the kinds of the verdicts."""
    requests = [Append(stream=name, events=[created()]) for name in names]
    return [type(verdict).__name__ for verdict in log.append(requests, START)]


def test_a_faulty_log_wraps_a_new_log_in_memory_by_default() -> None:
    log = FaultyLog()
    append(log, "topic/a", created())
    assert isinstance(log.store, MemoryLog)
    assert log.store.head() == log.head()


def test_a_rejected_request_is_not_written_but_the_others_of_its_call_are(log: FaultyLog) -> None:
    log.reject("topic/b")
    assert verdicts(log, "topic/a", "topic/b", "topic/c") == ["Appended", "Rejected", "Appended"]
    assert streams(log) == ["topic/a", "topic/c"]
    (verdict,) = log.append([Append(stream="topic/b", events=[created()])], START)
    assert isinstance(verdict, Appended), "only the next one was to be rejected"


def test_a_requested_rejection_is_log_full_and_the_request_may_be_repeated(log: FaultyLog) -> None:
    log.reject(times=2)
    for _ in range(2):
        (verdict,) = log.append([Append(stream="topic/a", events=[created()])], START)
        assert isinstance(verdict, Rejected)
        assert isinstance(verdict.error, LogFull)
        assert verdict.error.retriable
    append(log, "topic/a", created())
    assert log.fired == ["rejected", "rejected"]


def test_a_fault_for_an_event_type_fails_only_requests_with_that_type(log: FaultyLog) -> None:
    log.reject("topic/", "MessageProduced")
    append(log, "topic/a", created())
    append(log, "other/a", produced(0))
    (verdict,) = log.append([Append(stream="topic/b", events=[created(), produced(0)])], START)
    assert isinstance(verdict, Rejected)


@pytest.mark.parametrize("written", [True, False])
def test_a_lost_answer_fails_the_request_and_poisons_the_log(log: FaultyLog, written: bool) -> None:
    log.lose_answer("topic/b", written=written)
    requests = [Append(stream=name, events=[created()]) for name in ("topic/a", "topic/b")]
    for verdict in log.append(requests, START):
        assert isinstance(verdict, Failed)
        assert isinstance(verdict.error, OutcomeUnknown)
    with pytest.raises(LogUnavailable, match=r"an append failed \(the answer was lost\); reopen it first"):
        log.append(requests, START)
    log.reopen()
    assert streams(log) == (["topic/a", "topic/b"] if written else [])
    append(log, "topic/c", created())
    assert verify(log).is_sound


def test_a_failed_sync_poisons_the_log_and_its_events_are_visible_after_reopening(log: FaultyLog) -> None:
    log.fail("sync")
    assert verdicts(log, "topic/a") == ["Failed"]
    with pytest.raises(LogUnavailable, match="could not be synced"):
        append(log, "topic/a", created())
    log.reopen()
    assert streams(log) == ["topic/a"]


def test_a_lost_answer_does_not_hide_a_rejection_by_the_store(log: FaultyLog) -> None:
    log.lose_answer("topic/a", written=True)
    wrong = Append(stream="topic/b", events=[created()], expected_version=7)
    lost, rejected = log.append([Append(stream="topic/a", events=[created()]), wrong], START)
    assert isinstance(lost, Failed)
    assert isinstance(rejected, Rejected)
    assert isinstance(rejected.error, WrongExpectedVersion)


def test_an_append_that_cannot_reach_the_log_writes_nothing_and_does_not_poison_it(log: FaultyLog) -> None:
    log.fail("append", "topic/b")
    append(log, "topic/a", created())
    with pytest.raises(LogUnavailable, match="could not be reached"):
        verdicts(log, "topic/a", "topic/b")
    append(log, "topic/b", created())
    assert streams(log) == ["topic/a", "topic/b"]


def test_reopening_can_fail_on_request(log: FaultyLog) -> None:
    log.lose_answer(written=False)
    log.fail("reopen", times=2)
    assert verdicts(log, "topic/a") == ["Failed"]
    for _ in range(2):
        with pytest.raises(LogUnavailable, match="could not be reopened"):
            log.reopen()
        with pytest.raises(LogUnavailable, match="reopen it first"):
            append(log, "topic/a", created())
    log.reopen()
    append(log, "topic/a", created())
    assert log.fired == ["unwritten", "reopen", "reopen"]


def test_a_log_that_is_away_refuses_appends_and_reopening_until_it_is_back(log: FaultyLog) -> None:
    append(log, "topic/a", created())
    log.is_away = True
    with pytest.raises(LogUnavailable, match="it is away"):
        append(log, "topic/a", created())
    with pytest.raises(LogUnavailable, match="it is away"):
        log.reopen()
    assert streams(log) == ["topic/a"]
    log.is_away = False
    append(log, "topic/a", created())


def test_a_read_fails_at_the_start_or_at_a_matching_commit(log: FaultyLog) -> None:
    append(log, "topic/a", created())
    append(log, "topic/b", created())
    append(log, "topic/b", produced(0))
    log.fail("read")
    with pytest.raises(LogUnavailable, match="it cannot be read"):
        list(log.read())
    log.fail("read", "topic/b")
    reading = log.read()
    assert next(reading).position == 0
    with pytest.raises(LogUnavailable, match="cannot be read at position 1"):
        next(reading)
    log.fail("read", event="MessageProduced")
    assert [recorded.position for recorded in log.read(until=1)] == [0, 1]
    with pytest.raises(LogUnavailable, match="cannot be read at position 2"):
        list(log.read(after=1))
    assert [recorded.position for recorded in log.read()] == [0, 1, 2]
    assert log.fired == ["read"] * 3


def test_an_unreadable_log_refuses_reads_and_accepts_appends(log: FaultyLog) -> None:
    append(log, "topic/a", created(), produced(0))
    log.is_unreadable = True
    for reading in (
        lambda: list(log.read()),
        lambda: log.locate("partition:orders/0", 0),
        lambda: log.commit_at(0),
        lambda: log.commit_of_version("topic/a", 0),
        lambda: list(log.scan()),
    ):
        with pytest.raises(LogUnavailable, match="it cannot be read"):
            reading()
    append(log, "topic/a", produced(1))
    log.is_unreadable = False
    assert len(streams(log)) == 3


def test_every_third_answer_is_lost_alternately_written_and_not(log: FaultyLog) -> None:
    log.lose_every(3)
    outcomes: list[str] = []
    for number in range(9):
        outcomes += verdicts(log, f"topic/{number}")
        if outcomes[-1] == "Failed":
            log.reopen()
    assert outcomes == ["Appended", "Appended", "Failed"] * 3
    assert log.fired == ["written", "unwritten", "written"]
    assert streams(log) == [f"topic/{number}" for number in (0, 1, 2, 3, 4, 6, 7, 8)]


def test_no_stream_loses_two_answers_in_a_row(log: FaultyLog) -> None:
    log.lose_every(1)
    assert verdicts(log, "topic/a") == ["Failed"]
    log.reopen()
    assert verdicts(log, "topic/a") == ["Appended"]
    assert verdicts(log, "topic/a") == ["Failed"]


def test_a_healed_log_accepts_appends_and_reads(log: FaultyLog) -> None:
    log.reject(times=3)
    log.fail("read", times=3)
    log.lose_every(1)
    log.is_away = log.is_unreadable = True

    log.heal()

    assert verdicts(log, "topic/a") == ["Appended"]
    assert streams(log) == ["topic/a"]
    assert log.fired == []


def test_a_held_append_waits_until_it_is_released(log: FaultyLog) -> None:
    hold = log.hold("topic/a")
    append(log, "topic/b", created())
    thread = threading.Thread(target=append, args=(log, "topic/a", created()))
    thread.start()
    assert hold.reached.wait(10)
    assert streams(log) == ["topic/b"]
    hold.release()
    thread.join(10)
    assert streams(log) == ["topic/b", "topic/a"]


def test_a_faulty_log_shares_the_codec_and_closing_of_its_store(log: FaultyLog) -> None:
    codec = Codec(Catalogue())
    log.codec = codec
    assert log.store.codec is codec
    log.close()
    assert log.is_closed
    assert log.store.is_closed


def test_an_append_to_the_store_wakes_readers_of_the_faulty_log(log: FaultyLog) -> None:
    with log.subscribe() as subscription:
        append(log, "topic/a", created())
        append(log.store, "topic/b", created())
        assert [recorded and recorded.stream for recorded in (subscription.take(10), subscription.take(10))] == [
            "topic/a",
            "topic/b",
        ]


def test_a_faulty_log_needs_no_test_framework() -> None:
    program = """
import sys
sys.modules["pytest"] = sys.modules["hypothesis"] = None  # importing either raises ModuleNotFoundError
from datetime import UTC, datetime
from odradek_events import Append, types
from odradek_events.log import FaultyLog, Hold

with FaultyLog() as log:
    assert isinstance(log.hold("group/"), Hold)
    log.reject()
    request = Append(stream="topic/a", events=[types.TopicCreated("a", "t-1", 1, datetime.now(UTC))])
    print(*(type(log.append([request], datetime.now(UTC))[0]).__name__ for _ in range(2)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["Rejected", "Appended"]


def test_the_testing_package_also_exports_faulty_log() -> None:
    assert odradek_events.testing.FaultyLog is FaultyLog
