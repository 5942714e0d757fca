"""Recorded events as a pandas DataFrame: one row per event, columns with the types of the fields."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pandas
import pytest
from support.log import START, created, produced

from odradek_events import Append, MemoryLog, event
from odradek_events.exchange import to_pandas
from odradek_events.record import Decision
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ELSEWHERE = Catalogue()


@event("FrameTestOdd", catalogue=ELSEWHERE)
class Odd(msgspec.Struct, frozen=True):
    """An event with values of many types, and fields with the names of columns."""

    number: int | None = None
    share: float | None = None
    flag: bool | None = None
    at: datetime | None = None
    lines: tuple[int, ...] = ()
    stream: str = "river"
    mixed: Any = None


def frame_of(*events: Odd) -> pandas.DataFrame:
    with MemoryLog(Codec(ELSEWHERE)) as log:
        log.append([Append(stream="odd/1", events=events)], START)
        return to_pandas(log.read())


def test_each_event_is_a_row_with_its_place_metadata_and_fields() -> None:
    with MemoryLog() as log:
        request = Append(
            stream="topic/t",
            events=[created("t"), produced(0, "t", value=b"x")],
            commit_id="c",
            actor="TopicActor",
            decisions=(Decision(1, "one"), Decision(1, "two", "cause")),
        )
        log.append([request], START)
        frame = to_pandas(log.read())
    assert frame.index.name == "position"
    assert frame.index.tolist() == [0, 1]
    assert frame.columns[:10].tolist() == [
        *("stream", "version", "type", "schema_version", "recorded_at", "event_id", "commit_id"),
        *("correlation_id", "causation_id", "actor"),
    ]
    assert frame.loc[1, ["stream", "version", "type", "event_id", "correlation_id", "causation_id"]].tolist() == [
        *("topic/t", 1, "MessageProduced", "c/1", "two", "cause")
    ]
    assert frame.loc[1, "recorded_at"] == START
    assert frame.loc[1, "value"] == b"x"
    assert frame["offset"].isna().tolist() == [True, False]
    assert frame.loc[frame.type == "MessageProduced", "offset"].sum() == 0


def test_columns_have_the_types_of_the_fields() -> None:
    frame = frame_of(Odd(2**60, 0.5, True, NOON, (1,), mixed="a"), Odd(1, 2.0, False, NOON, (), mixed=1))
    names = ["number", "share", "flag", "at", "lines", "mixed"]
    assert frame[names].dtypes.astype(str).tolist() == [
        *("int64", "float64", "bool", "datetime64[us, UTC]", "object", "object")
    ]
    assert frame["lines"].tolist() == [(1,), ()]
    assert frame["mixed"].tolist() == ["a", 1]


def test_numbers_stay_exact_in_a_column_with_gaps() -> None:
    frame = frame_of(Odd(2**60 + 1, 0.5, True, NOON), Odd())
    names = ["number", "share", "flag", "at", "mixed"]
    assert frame[names].dtypes.astype(str).tolist() == ["Int64", "float64", "boolean", "datetime64[us, UTC]", "object"]
    assert frame["number"].tolist()[0] == 2**60 + 1
    assert frame[names].isna().iloc[1].all()


def test_numbers_beyond_64_bits_and_times_without_a_zone_are_kept() -> None:
    frame = frame_of(Odd(2**63 - 1, at=datetime(2024, 5, 1)), Odd(2**64 - 1))  # noqa: DTZ001 - without a zone on purpose
    assert frame["number"].tolist() == [2**63 - 1, 2**64 - 1]
    assert frame["at"].tolist()[0] == datetime(2024, 5, 1)  # noqa: DTZ001 - as above


def test_a_field_with_the_name_of_a_column_has_a_prefix() -> None:
    frame = frame_of(Odd())
    assert (frame.loc[0, "stream"], frame.loc[0, "event.stream"]) == ("odd/1", "river")


def test_no_events_give_an_empty_frame_with_typed_columns() -> None:
    frame = to_pandas(MemoryLog().read())
    assert len(frame) == 0
    assert frame.dtypes.astype(str)["version"] == "int64"


def test_events_of_unknown_types_have_the_stored_fields() -> None:
    with MemoryLog(Codec(ELSEWHERE)) as log:
        log.append([Append(stream="odd/1", events=[Odd(5)])], START)
        log.codec = Codec(Catalogue())
        frame = to_pandas(log.read(opaque=True))
    assert (frame.loc[0, "type"], frame.loc[0, "number"]) == ("FrameTestOdd", 5)
    assert "share" not in frame


@pytest.mark.parametrize("wrong", [MemoryLog(), 5, [5], [Odd()]])
def test_anything_but_recorded_events_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"events must be recorded events, as log\.read\(\) yields them, not"):
        to_pandas(wrong)


def test_without_pandas_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pandas.py").write_text("raise ImportError('this is a place without pandas')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.run(
        [sys.executable, "-c", "import odradek; odradek.to_pandas(())"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "LibraryMissing: to_pandas needs the library pandas" in process.stderr
    assert "pip install 'odradek[pandas]'" in process.stderr
