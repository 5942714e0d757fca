"""Text as pictures and terminals show it: control characters made visible, cut and wrapped by width.

Widths are counted in cells, as terminals do: a Chinese character or an emoji takes two, a combining accent none.
Pictures set labels in a monospaced font, so that their width is known although no font is at hand to measure it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

__all__ = ["count_cells", "cut", "format_duration", "limit", "make_visible", "pad", "wrap"]

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_JOINER = "\u200d"  # joins emoji; other format characters can reorder or hide text, and are escaped
_CHARACTERS_PER_CELL = 4  # more are accents piled on one another
_UNITS = ((60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def make_visible(text: str, *, keep: str = "") -> str:
    r"""Return text in which every character can be seen: NUL becomes `\u0000`, a newline `\n`.

    Bidirectional overrides and lone surrogates are escaped too, so that the result is valid in XML and in UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == _JOINER or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[first : first + 4]}" for first in range(0, len(units), 4))


def count_cells(text: str) -> int:
    """Return how many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return the text made visible, on one line of at most `width` cells; an ellipsis shows that it was cut."""
    most = _CHARACTERS_PER_CELL * width
    start = make_visible(text[:most])  # a payload may be long: look no further than needed
    if len(text) <= most and count_cells(start) <= width:
        return start
    taken = 0
    for place, character in enumerate(start[:most]):
        taken += _cells_of(character)
        if taken > width - 1:
            return f"{start[:place]}…"
    return f"{start[:most]}…"


def limit(text: str, most: int) -> str:
    """Return at most so many characters of a text, and say how many there are more."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def pad(text: str, width: int) -> str:
    """Return the text with spaces up to a width in cells."""
    return text + " " * (width - count_cells(text))


def wrap(text: str, width: int) -> list[str]:
    """Return the text made visible, in lines of at most `width` cells (2 or more), broken between words if possible."""
    return [line for paragraph in text.splitlines() for line in _lines(make_visible(paragraph), width)] or [""]


def _lines(paragraph: str, width: int) -> Iterator[str]:
    line = ""
    for word in paragraph.split(" "):
        if line and count_cells(line) + 1 + count_cells(word) > width:
            yield line
            line = ""
        elif line:
            line += " "
        for character in word:
            if count_cells(line) + _cells_of(character) > width:
                yield line
                line = ""
            line += character
    yield line


def format_duration(seconds: float) -> str:
    """Return a duration in a unit that suits it: `250 ms`, `2.4 s`, `3 min`."""
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
