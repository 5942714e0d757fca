"""Argument checks name the wrong argument in one sentence, and return plain values."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from odradek_events import validation


class Text(str):
    """A str whose class overrides `__str__`."""

    def __str__(self) -> str:
        return "something else"


class Colour(str, enum.Enum):  # noqa: UP042  # as people write it
    """An enum of strings: `str()` of a member is not its value."""

    RED = "red"


class Data(bytes):
    pass


class Number(int):
    pass


class Real(float):
    pass


class FakeDatetime(datetime):
    """The datetime class of tools that freeze the clock."""


class FakeDate(date):
    pass


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", [Text("red"), Colour.RED])
def test_text_of_a_subclass_becomes_a_plain_str(value: str) -> None:
    found = validation.text("name", value)
    assert (type(found), found) == (str, "red")


def test_text_has_a_maximum_length() -> None:
    assert validation.text("name", "abc", 3) == "abc"
    with pytest.raises(ValueError, match=r"^name must have at most 3 characters, not 4$"):
        validation.text("name", "abcd", 3)


def test_a_lone_surrogate_gets_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^name 'ab.*' has a lone surrogate at index 2, which UTF-8 cannot encode"):
        validation.text("name", "ab\ud800")


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_time_outside_the_years_of_utc_raises_value_error(hours: int) -> None:
    edge = datetime.max if hours < 0 else datetime.min  # noqa: DTZ901  # it gets its zone below
    with pytest.raises(ValueError, match=r"^at .* is outside the years 1 to 9999 in UTC; use a time within them$"):
        validation.moment("at", edge.replace(tzinfo=timezone(timedelta(hours=hours))))


def test_a_datetime_of_a_subclass_becomes_a_plain_one() -> None:
    found = validation.moment("at", FakeDatetime(2026, 5, 1, 12, 30, 0, 5, UTC))
    assert type(found) is datetime
    assert found == datetime(2026, 5, 1, 12, 30, 0, 5, UTC)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Text("red"), "red"),
        (Data(b"red"), b"red"),
        (Number(3), 3),
        (Real(1.5), 1.5),
        (FakeDatetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)),
        (FakeDate(2026, 5, 1), date(2026, 5, 1)),
    ],
)
def test_values_of_subclasses_are_encoded_as_plain_ones(value: Any, plain: Any) -> None:
    assert type(validation.as_plain(value)) is type(plain)
    assert msgspec.json.encode([value], enc_hook=validation.as_plain) == msgspec.json.encode([plain])


def test_values_without_a_json_type_are_still_refused() -> None:
    with pytest.raises(TypeError, match="Encoding objects of type Unshowable is unsupported"):
        msgspec.json.encode(Unshowable(), enc_hook=validation.as_plain)


@pytest.mark.parametrize(
    "value",
    [10**5000, "x" * 10_000, b"x" * 10_000, "a\nb", "\ud800", Unshowable(), ["x" * 10_000], {"a": "\x1b"}],
    ids=lambda value: type(value).__name__,
)
def test_a_wrong_value_is_shown_on_one_short_line(value: object) -> None:
    found = validation.shown(value)
    assert len(found) <= 81
    assert found.isprintable()


@pytest.mark.parametrize(
    "call",
    [
        lambda: validation.whole_number("count", True),
        lambda: validation.whole_number("count", -1),
        lambda: validation.whole_number("count", 11, maximum=10),
        lambda: validation.whole_number("count", 10**5000, maximum=10),
        lambda: validation.seconds("count", float("nan")),
        lambda: validation.seconds("count", None),
        lambda: validation.text("count", b"x"),
        lambda: validation.names("count", "x"),
        lambda: validation.names("count", 5),  # type: ignore[arg-type]  # the mistake under test
        lambda: validation.names("count", [5]),  # type: ignore[list-item]  # the mistake under test
        lambda: validation.moment("count", 5),
        lambda: validation.moment("count", datetime(2026, 5, 1)),  # noqa: DTZ001  # the mistake under test
    ],
)
def test_a_wrong_argument_is_named_in_the_error(call: Callable[[], object]) -> None:
    with pytest.raises((TypeError, ValueError), match="count"):
        call()
