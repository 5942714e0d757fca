"""Parses and formats durations and sizes as people write them: `7d`, `64MiB`."""

from __future__ import annotations

import re

from odradek.cli.options import bad_value

__all__ = ["format_duration", "format_size", "parse_duration_ms", "parse_size"]

_DURATIONS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}  # milliseconds
_SIZES = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "TB": 10**12, "GB": 10**9, "MB": 10**6} | {
    "KB": 1000,
    "B": 1,
}
_BY_LOWER_CASE = {unit.lower(): factor for unit, factor in _SIZES.items()}
_LARGEST = (1 << 63) - 1


def parse_duration_ms(name: str, text: str) -> int:
    """Return the milliseconds of a value of the option `name`: `90s`, `1h30m`, `7d`."""
    parts = re.findall(r"([0-9]{1,19})(ms|[wdhms])", text)
    duration = sum(int(number) * _DURATIONS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text or not 1 <= duration <= _LARGEST:
        raise bad_value(
            name, f"{text[:80]!r} is not a duration; use a number with w, d, h, m, s or ms, like 7d or 1h30m"
        )
    return duration


def parse_size(name: str, text: str) -> int:
    """Return the bytes of a value of the option `name`: `500`, `64MiB`, `2GB`."""
    found = re.fullmatch(r"([0-9]{1,19}) ?([a-zA-Z]{0,3})", text)
    factor = _BY_LOWER_CASE.get((found[2] or "B").lower()) if found else None
    size = int(found[1]) * factor if found and factor else 0
    if not 1 <= size <= _LARGEST:
        raise bad_value(
            name, f"{text[:80]!r} is not a size; use bytes, or a number with KiB, MiB, GiB or TiB, like 64MiB"
        )
    return size


def format_duration(milliseconds: int) -> str:
    """Return a duration in the largest unit up to days that divides it, as `parse_duration_ms` reads it."""
    units = (item for item in _DURATIONS.items() if item[0] != "w")  # 7d stays 7d
    unit, factor = next((unit, factor) for unit, factor in units if milliseconds % factor == 0)
    return f"{milliseconds // factor}{unit}"


def format_size(size: int) -> str:
    """Return a size in the largest unit that divides it, as `parse_size` reads it."""
    unit, factor = next((unit, factor) for unit, factor in _SIZES.items() if size % factor == 0)
    return f"{size // factor}{unit}"
