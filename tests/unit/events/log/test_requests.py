"""An invalid request raises at once; a request that cannot be stored is rejected without affecting others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from odradek_events.errors import EventNotSerializable, InvalidStream
from odradek_events.log.memory import MemoryLog
from odradek_events.record import Append, Appended, Decision, Rejected
from odradek_events.testing.samples import created

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Text(str):
    pass


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"stream": 5}, "stream must be a str, not 5"),
        ({"events": "text"}, "events must be a list or tuple of events"),
        ({"events": 5}, "events must be a list or tuple of events"),
        ({"events": Decision(1)}, r"not Decision\(.*\); use events=\[event\]"),
        ({"expected_version": True}, "expected_version must be an int"),
        ({"commit_id": 5}, "commit_id must be a str"),
        ({"decisions": 5}, "decisions must be a tuple of Decision"),
        ({"decisions": ((1, "", ""),)}, "decisions must be a tuple of Decision"),
        ({"condition": "none"}, "condition must be a Condition or None"),
    ],
)
def test_a_request_with_a_wrong_type_raises_an_error_that_names_the_field(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises((TypeError, ValueError), match=named):
        Append(**{"stream": "s/1", "events": [], **wrong})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"commit_id": "x" * 1001}, "commit_id must have at most 1000 characters, not 1001"),
        ({"commit_id": "\ud800"}, "commit_id .* lone surrogate"),
        ({"actor": "x" * 1025}, "actor must have at most 1024"),
        ({"decisions": (Decision(1, "x" * 1025),)}, "correlation_id must have at most 1024 characters, not 1025"),
        ({"decisions": (Decision(1, "", "x" * 1025),)}, "causation_id must have at most 1024 characters, not 1025"),
        ({"decisions": (Decision(1, "\ud800"),)}, "correlation_id .* lone surrogate"),
        ({"decisions": (Decision("1"),)}, "make them add up"),  # type: ignore[arg-type]  # the mistake under test
        ({"decisions": (Decision(10**5000),)}, "make them add up"),
    ],
)
def test_a_request_that_cannot_be_stored_does_not_reject_others(wrong: dict[str, Any], named: str) -> None:
    with MemoryLog() as log:
        bad = Append(**{"stream": "s/1", "events": [created()], **wrong})
        before, rejected, after = log.append(
            [Append(stream="s/0", events=[created()]), bad, Append(stream="s/2", events=[created()])], NOON
        )
        assert isinstance(rejected, Rejected)
        assert isinstance(rejected.error, EventNotSerializable)
        with pytest.raises(EventNotSerializable, match=named):
            raise rejected.error
        assert isinstance(before, Appended)
        assert isinstance(after, Appended)
        assert log.head().position == 1


@pytest.mark.parametrize("stream", ["", "x", "/", "a/", "/a", "a/\ud800", "a/" + "x" * 250, "x" * 250 + "/a", "a/\n"])
def test_a_stream_has_a_type_and_an_id_of_limited_length(stream: str) -> None:
    with MemoryLog() as log:
        (verdict,) = log.append([Append(stream=stream, events=[created()])], NOON)
        assert isinstance(verdict, Rejected)
        assert isinstance(verdict.error, InvalidStream)


def test_ids_of_a_subclass_of_str_are_stored_as_plain_text() -> None:
    with MemoryLog() as log:
        request = Append(
            stream=Text("s/1"),
            events=[created()],
            commit_id=Text("c"),
            actor=Text("a"),
            decisions=(Decision(1, Text("x"), Text("y")),),
        )
        (verdict,) = log.append([request], NOON)
        assert isinstance(verdict, Appended)
        (recorded,) = log.read()
        assert (recorded.stream, recorded.metadata.commit_id, recorded.metadata.correlation_id) == ("s/1", "c", "x")
        assert list(log.streams()) == ["s/1"]
        assert {type(stream) for stream in log.streams()} == {str}


@pytest.mark.parametrize("requests", [Append(stream="s/1", events=[]), [5], ["s/1"]])
def test_append_takes_a_list_of_requests(requests: Any) -> None:
    with MemoryLog() as log, pytest.raises(TypeError, match="requests must be a list of Append"):
        log.append(requests, NOON)


@pytest.mark.parametrize("at", [5, None, "2026", datetime(2026, 5, 1)])  # noqa: DTZ001  # the mistake under test
def test_append_takes_an_aware_time(at: Any) -> None:
    with MemoryLog() as log, pytest.raises((TypeError, ValueError), match="recorded_at"):
        log.append([Append(stream="s/1", events=[created()])], at)
