"""Text is shown without control characters, and never wider than asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stories import HOSTILE

from odradek_pictures.text import count_cells, cut, format_duration, limit, make_visible, pad, wrap

ANY_TEXT = st.text(st.characters(codec=None))  # with surrogates


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢字 👩\u200d💻", "plain é 漢字 👩\u200d💻"),
        ("\x00\x1b\x7f", "\\u0000\\u001b\\u007f"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\ud800 \ufffe \U0010ffff", "\\ud800 \\ufffe \\udbff\\udfff"),
    ],
)
def test_every_character_can_be_seen(text: str, shown: str) -> None:
    assert make_visible(text) == shown


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("漢字", 4), ("e\u0301", 1), ("👩", 2), ("a\u200db", 2), ("", 0)]
)
def test_the_width_of_text_is_that_in_a_terminal(text: str, width: int) -> None:
    assert count_cells(text) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("漢字漢字", 6, "漢字…"),
        ("漢字漢字", 8, "漢字漢字"),
        ("a\nb", 4, "a\\nb"),
        ("e" + "\u0301" * 100, 5, "e" + "\u0301" * 19 + "…"),
        ("x" * 10_000_000, 4, "xxx…"),
    ],
)
def test_text_is_cut_to_a_width(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


@given(ANY_TEXT, st.integers(2, 30))
def test_no_text_is_wider_than_asked(text: str, width: int) -> None:
    for line in (cut(text, width), *wrap(text, width)):
        assert count_cells(line) <= width
        assert make_visible(line) == line
        line.encode()


@given(st.text("ab 漢e\u0301", max_size=60), st.integers(2, 12))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    assert "".join(wrap(text, width)).replace(" ", "") == text.replace(" ", "")


def test_words_stay_together_where_they_fit() -> None:
    assert wrap("one two three\n\nfour fives-sixes", 8) == ["one two", "three", "", "four", "fives-si", "xes"]


def test_long_text_says_how_much_is_missing() -> None:
    assert limit(HOSTILE, 1000) == HOSTILE
    assert limit("x" * 1234567, 3) == "xxx… (1,234,564 more characters)"


def test_padding_counts_cells() -> None:
    assert pad("漢", 4) == "漢  "


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0000042, "4.2 µs"), (0.25, "250 ms"), (2.4, "2.4 s"), (180.0, "3 min"), (0.0, "0 µs")]
)
def test_durations_have_a_unit_that_suits_them(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown
