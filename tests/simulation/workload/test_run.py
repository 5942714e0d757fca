"""run_workload: a program runs a workload on a log or a system of its own, and gets a report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from odradek import ActorSystem, ConsumerHandle, ConsumerRecord, MemoryLog, Promise, open_log, verify
from odradek.errors import ConsumerAlreadyOpen, LogUnavailable, SystemClosed, TopicAlreadyExists
from odradek.simulation import Progress, Workload, WorkloadReport, run_workload
from odradek_actors.client.member_settings import member_settings
from odradek_actors.runtime.threads import ThreadedRuntime

SMALL = Workload(messages=600, batch=20, keys=30)
ENDLESS = Workload(messages=100_000_000, batch=20, keys=30)


class OtherRuntime(ThreadedRuntime):
    """Threads whose clock runs ahead as far as a test says, and which count the clients."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds_ahead = 0.0
        self.clients = 0

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds_ahead

    def spawn(self, client: Callable[..., Any], *args: Any) -> Promise[Any]:
        self.clients += 1
        return super().spawn(client, *args)


def test_a_run_without_faults_holds_and_reports_what_everyone_saw() -> None:
    report = run_workload(SMALL)
    assert report.holds
    assert report.problems == []
    assert report.workload is SMALL
    assert (report.log, report.produced.messages, report.consumed.messages) == (":memory:", 600, 1800)
    assert [(one.producer, one.acknowledged) for one in report.producers] == [
        (f"producer-{number}", 150) for number in (1, 2, 3, 4)
    ]
    assert [(one.consumer, one.received) for one in report.consumers] == [("consumer-3", 600)]
    assert [(one.group, one.received, one.repeats) for one in report.groups] == [
        ("group-1", 600, 0),
        ("group-2", 600, 0),
    ]
    assert report.send_latency.count == 32
    assert 0 < report.send_latency.p50_ms <= report.send_latency.p99_ms <= report.send_latency.max_ms
    assert 0 < report.produced.seconds <= report.elapsed_seconds
    assert 0 < max(one.seconds for one in report.groups) <= report.consumed.seconds <= report.elapsed_seconds
    assert report.produced.per_second == pytest.approx(600 / report.produced.seconds)
    assert sum(partition.high_watermark for partition in report.partitions) == 600


def test_a_report_has_a_repr_of_one_line_and_goes_through_json_unchanged() -> None:
    report = run_workload(Workload(messages=10, topics=1, producers=1, consumers=0, groups=0))
    assert repr(report) == (
        f"<WorkloadReport 10 messages produced and 0 consumed in {report.elapsed_seconds:.2f} s; everything holds>"
    )
    assert "\n" not in report.to_json()
    assert msgspec.json.decode(report.to_json(), type=WorkloadReport) == report


@pytest.mark.on_disk
def test_a_log_given_by_its_path_is_created_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    report = run_workload(SMALL, path, durability="off")
    with open_log(path) as log:  # as a writer: the run has let it go
        assert verify(log).is_sound
        assert log.head().position == report.position


def test_an_open_log_and_an_open_system_stay_open() -> None:
    log = MemoryLog()
    run_workload(SMALL, log)
    with ActorSystem.open(log) as system:
        assert system.list_topics() == ["topic-1", "topic-2"]
        for topic in system.list_topics():
            system.delete_topic(topic)
        with system.producer() as producer:
            producer.send("orders", "1 tea").result()
        report = run_workload(SMALL, system)
        assert report.holds
        assert {partition.topic for partition in report.partitions} == {"topic-1", "topic-2"}
        assert [group.joined for group in report.groups] == [2, 2]  # those of the first run are not counted
        assert "orders" in system.list_topics()


def test_the_runtime_decides_about_time_and_clients_and_stays_open() -> None:
    runtime = OtherRuntime()

    def jump(progress: Progress) -> None:
        runtime.seconds_ahead += 0.0 if progress.produced < 600 else 5.0

    report = run_workload(SMALL, runtime=runtime, progress=jump)
    assert report.holds
    assert report.elapsed_seconds > 5
    assert runtime.clients == 4 + 2 * 2 + 1
    with ActorSystem.open(runtime=runtime) as system:
        system.create_topic("still-usable")
    runtime.close()


def test_progress_is_called_with_counts_that_grow_to_the_end() -> None:
    seen: list[Progress] = []
    run_workload(SMALL, progress=seen.append)
    assert seen == sorted(seen, key=lambda progress: (progress.elapsed_seconds, progress.consumed, progress.produced))
    assert (seen[-1].produced, seen[-1].consumed) == (600, 1800)


@pytest.mark.slow
def test_members_that_leave_stall_and_die_are_replaced_and_everything_is_read() -> None:
    report = run_workload(Workload(messages=12_000, batch=5, members=3, churn=3, consumers=1, groups=1))
    assert report.problems == []
    (group,) = report.groups
    assert group.received == 12_000
    assert group.joined >= 3 + 2  # the one that stalled comes back, or another comes for it
    assert group.dismissed >= 1


# -- runs that do not go well -----------------------------------------------------------------------------------------


def test_a_message_of_a_stranger_breaks_the_verdict_and_raises_nothing() -> None:
    with ActorSystem.open() as system:
        strangers: list[str] = []

        def send_one(_: Progress) -> None:
            if not strangers:
                strangers.append("stranger")
                with system.producer("stranger") as producer:
                    producer.send("topic-1", "9 1 x", partition=0).result()

        report = run_workload(SMALL, system, progress=send_one)
    assert not report.holds
    assert "'every acknowledged message has its own offset, without gaps' does not hold" in report.problems[0]
    assert "does not hold" in repr(report)


class LosesTheLast(ConsumerHandle):
    """Returns one message less than it polled."""

    def poll(self, max_messages: int | None = None, timeout: float = 1.0) -> list[ConsumerRecord]:
        return super().poll(max_messages, timeout)[:-1]


class LossySystem(ActorSystem):
    """Its consumers lose messages."""

    def consumer(self, consumer_id: str, *_: Any, **__: Any) -> ConsumerHandle:
        member = member_settings(self._context.assignors, ["range"], 45.0, 3.0, 300.0, None)
        return LosesTheLast(
            self,
            consumer_id,
            None,
            auto_offset_reset="earliest",
            member=member,
            max_poll_records=500,
            auto_commit_interval=None,
        )


def test_a_reader_that_receives_nothing_for_long_is_given_up_and_the_report_says_what_it_lacks() -> None:
    runtime = OtherRuntime()

    def jump(progress: Progress) -> None:
        runtime.seconds_ahead += 0.0 if progress.produced < 600 else 31.0

    with LossySystem.open(runtime=runtime) as system:
        report = run_workload(msgspec.structs.replace(SMALL, consumers=1, groups=0), system, progress=jump)
    runtime.close()
    assert 0 < report.consumers[0].received < 600
    assert "consumer-1" in " ".join(report.problems)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("enough")], ids=["Ctrl-C", "the caller's error"])
def test_an_interrupted_run_stops_everyone_and_keeps_what_is_stored(error: BaseException) -> None:
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 3:
            raise error

    with ActorSystem.open() as system:
        with pytest.raises(type(error)) as raised:
            run_workload(ENDLESS, system, progress=interrupt)
        assert raised.value is error
        assert len(seen) == 4  # the last one is what was done in all
        stored = sum(1 for _ in system.log.read(types=["MessageProduced"]))
        assert seen[-1].produced == stored > 0
        system.consumer("consumer-3").close()  # no consumer is left open
        system.settle()
        assert system.check_replay().holds


def test_the_first_error_of_a_client_ends_the_run_and_is_raised() -> None:
    with ActorSystem.open() as system, system.consumer("consumer-3"):
        with pytest.raises(ConsumerAlreadyOpen):
            run_workload(ENDLESS, system)
        system.settle()


def test_topics_of_the_workload_that_exist_already_are_refused() -> None:
    with ActorSystem.open() as system:
        system.create_topic("topic-2")
        with pytest.raises(TopicAlreadyExists, match="'topic-2'"):
            run_workload(SMALL, system)


@pytest.mark.on_disk
def test_a_log_opened_for_reading_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    open_log(path).close()
    with open_log(path, read_only=True) as log, pytest.raises(LogUnavailable, match="read-only"):
        run_workload(SMALL, log)


def test_a_closed_system_is_refused() -> None:
    system = ActorSystem.open()
    system.close()
    with pytest.raises(SystemClosed):
        run_workload(SMALL, system)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((1000,), "workload is a Workload, not 1000; pass for example Workload(messages=1000)"),
        ((None, 5), "log is a path, an open log or an ActorSystem, not 5"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(TypeError) as refused:
        run_workload(*arguments)
    assert str(refused.value) == sentence


def test_a_system_runs_on_its_own_runtime_only() -> None:
    with ActorSystem.open() as system:
        with pytest.raises(ValueError, match="has a runtime of its own; pass a log"):
            run_workload(SMALL, system, runtime=ThreadedRuntime())
        assert run_workload(SMALL, system, runtime=system.runtime).holds


def test_the_simulation_imports_without_the_face() -> None:
    program = "import sys, odradek_simulation.workload.run; print('odradek' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
