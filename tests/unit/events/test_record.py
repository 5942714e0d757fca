"""Records: a head's text form."""

from __future__ import annotations

import pytest

from odradek_events.log.judging import EMPTY_DIGEST
from odradek_events.record import Head


@pytest.mark.parametrize("head", [Head(-1, EMPTY_DIGEST, None), Head(41, bytes.fromhex("ab" * 32), None)])
def test_a_head_survives_a_round_trip_through_text(head: Head) -> None:
    assert Head.from_text(head.to_text()) == head


def test_a_head_is_written_as_position_and_digest() -> None:
    assert Head(41, bytes.fromhex("ab" * 32), None).to_text() == "41:" + "ab" * 32


@pytest.mark.parametrize(
    "text", ["", "5", "5:", ":ab", "5:abcd", f"-2:{'00' * 32}", f"x:{'00' * 32}", f"5:{'0g' * 32}"]
)
def test_a_text_that_is_not_a_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a head; use POSITION:DIGEST"):
        Head.from_text(text)
