"""The Message: immutable, bytes inside, an offset that is set once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.domain import NOON, message, produced

from odradek_domain.errors import InvalidHeader, InvalidMessage, InvalidOffset, OffsetAlreadyAssigned
from odradek_domain.values.message import Message
from odradek_domain.values.positions import Offset


def test_a_new_message_has_no_offset_and_no_headers() -> None:
    made = Message.new(b"k", b"v", id="m", timestamp=NOON)
    assert (made.id, made.key, made.value, made.timestamp) == ("m", b"k", b"v", NOON)
    assert made.offset is None
    assert made.headers == ()


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        message().value = b"other"  # type: ignore[misc]  # the mistake under test


def test_a_value_may_be_empty_and_a_tombstone_has_none() -> None:
    assert message(b"").value == b""
    assert message(None).value is None


@pytest.mark.parametrize(
    ("part", "key", "value"), [("key", "alice", b"v"), ("value", b"k", "1 tea"), ("value", None, 7)]
)
def test_key_and_value_must_be_bytes(part: str, key: Any, value: Any) -> None:
    with pytest.raises(InvalidMessage, match=f"is not a message's {part}; use bytes, or None") as refused:
        Message.new(key, value, id="m", timestamp=NOON)
    assert refused.value.part == part


@pytest.mark.parametrize("timestamp", [datetime(2024, 5, 1), None, 1714564800])  # noqa: DTZ001 - the mistake under test
def test_a_message_needs_a_time_with_a_zone(timestamp: Any) -> None:
    with pytest.raises(InvalidMessage, match="use a datetime with a time zone") as refused:
        Message.new(None, b"v", id="m", timestamp=timestamp)
    assert refused.value.value == timestamp


def test_the_offset_is_set_once() -> None:
    stored = message().assign_offset(4)
    assert stored.offset == Offset(4)
    assert stored.assign_offset(4) == stored
    with pytest.raises(OffsetAlreadyAssigned, match="already has offset 4 and cannot get offset 5") as refused:
        stored.assign_offset(5)
    assert (refused.value.current, refused.value.offset) == (4, 5)


def test_a_negative_offset_cannot_be_assigned() -> None:
    with pytest.raises(InvalidOffset):
        message().assign_offset(-1)


def test_headers_keep_their_order_and_may_repeat_a_name() -> None:
    headers = [("b", b"1"), ("a", b"2"), ("b", b"3")]
    assert message().with_headers(headers).headers == (("b", b"1"), ("a", b"2"), ("b", b"3"))


def test_with_headers_leaves_the_original_alone() -> None:
    original = message()
    original.with_headers([("a", b"1")])
    assert original.headers == ()


@pytest.mark.parametrize("header", ["ab", ("a",), ("a", "text"), (b"a", b"1"), ("a", b"1", b"2"), None])
def test_a_header_is_a_pair_of_name_and_bytes(header: Any) -> None:
    with pytest.raises(InvalidHeader, match=r"use a \(name, value\) pair") as refused:
        message().with_headers([("fine", b"1"), header])
    assert refused.value.header == header


def test_the_size_counts_key_value_and_headers_in_bytes() -> None:
    assert message(b"12345", b"123", headers=(("ä", b"12"),)).size == 5 + 3 + 2 + 2 + 16
    assert message(None, None).size == 0


def test_a_stored_message_is_what_its_event_says() -> None:
    stored = Message.stored(produced(7, value=b"x", key=b"k"))
    assert (stored.id, stored.key, stored.value, stored.offset) == ("m7", b"k", b"x", 7)
    assert stored.timestamp == NOON
    assert stored.timestamp.tzinfo is UTC
