"""`odradek log --follow`: what is there, then what comes, while another process writes."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from support.cli import here, refused, running

from odradek import ActorSystem

QUIET: dict[str, Any] = {"progress_interval": 3600.0}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a log with three messages."""
    path = tmp_path / "orders.db"
    with ActorSystem.open(path, **QUIET) as system, system.producer("till") as producer:
        producer.send_batch("orders", ["0", "1", "2"]).result()
    return path


def following(*arguments: object) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run `odradek log ... --follow` beside the test."""
    return running("log", *arguments, "--follow")


def next_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode()


def values(process: subprocess.Popen[bytes], count: int) -> list[str]:
    """Return the values of the next lines."""
    return [next_line(process).split(" value=")[1].split()[0] for _ in range(count)]


def test_what_comes_is_printed_as_it_comes_in_the_same_form(log: Path) -> None:
    with (
        following(log, "--type", "MessageProduced", "--limit", 6) as process,
        ActorSystem.open(log, **QUIET) as system,
        system.producer("till") as producer,
    ):
        printed = [next_line(process) for _ in range(3)]
        producer.send("orders", "3").result()
        printed.append(next_line(process))
        producer.send_batch("orders", ["4", "5", "6"]).result()
        printed += [next_line(process), next_line(process)]
        assert next_line(process) == ""
        assert process.wait(timeout=30) == 0
    assert "".join(printed) == here("log", log, "--type", "MessageProduced", "--limit", 6).text


def test_filters_hold_for_what_comes(log: Path) -> None:
    with (
        following(log, "--tag", "partition:orders/0", "--tag", "producer:till", "--after", 3, "--json") as process,
        ActorSystem.open(log, **QUIET) as system,
        system.producer("other") as other,
        system.producer("till") as till,
    ):
        for number in range(3):
            other.send("orders", f"other-{number}").result()
            till.send("orders", f"till-{number}").result()
        events = [json.loads(next_line(process))["event"] for _ in range(4)]
    assert [event["offset"] for event in events] == [2, 4, 6, 8]


def test_one_stream_can_be_followed(log: Path) -> None:
    with (
        following(log, "--stream", "topic/orders", "--after", 2) as process,
        ActorSystem.open(log, **QUIET) as system,
        system.producer("till") as producer,
    ):
        producer.send("payments", "no").result()
        producer.send("orders", "yes").result()
        assert values(process, 3) == ["1", "2", "yes"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_says_how_much_was_printed(log: Path, number: signal.Signals) -> None:
    with following(log, "--type", "MessageProduced") as process:
        assert values(process, 3) == ["0", "1", "2"]
        process.send_signal(number)
        output, complaint = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, b"")
    assert complaint == b"odradek: interrupted after 3 events\n"


def test_a_reader_that_goes_away_ends_it_with_the_next_event(log: Path) -> None:
    with (
        following(log, "--after", "head") as process,
        ActorSystem.open(log, **QUIET) as system,
        system.producer("till") as producer,
    ):
        assert process.stdout is not None
        process.stdout.close()
        while process.poll() is None:
            producer.send("orders", "more").result()
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (141, b"")


def test_it_does_not_go_with_an_end(log: Path) -> None:
    refused(here("log", log, "--follow", "--until", 3), 2, "--follow", "--until")
    assert here("log", log, "--follow", "--limit", 2).lines == here("log", log, "--limit", 2).lines
