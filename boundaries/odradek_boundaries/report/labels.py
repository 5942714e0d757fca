"""Labels beside what they name, moved apart where they would overlap, with a thin line to what they name if moved.

Places are in pixels; matplotlib's defaults would need a legend, which readers must match by colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from odradek_pictures.text import count_cells, cut
from odradek_pictures.theme import LIGHT

__all__ = ["label", "label_dots", "label_ends", "shorten", "spread_out"]

_CELL, _LINE = 7.0, 17.0  # the width of a character and the height of a line
_LONGEST = 34
_HALF, _BESIDE = 8.0, 11.0  # half the height of a label, and its distance from a dot


def shorten(name: str) -> str:
    """Return the name of a boundary as labels show it."""
    return cut(name, _LONGEST)


def label(
    axes: Any,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    colour: str = "ink",
    align: str = "left",
    line: bool = False,
    **more: Any,
) -> None:
    """Write text beside a point, in a colour of the theme or any other."""
    from_side = {"left": (0.0, 0.5), "right": (1.0, 0.5), "center": (0.5, 0.0)}[align]
    arrow = {
        "arrowstyle": "-",
        "color": LIGHT["line"],
        "linewidth": 0.7,
        "relpos": from_side,
        "shrinkA": 1,
        "shrinkB": 4,
    }
    axes.annotate(
        text, at, offset, textcoords="offset pixels", ha=align, va="center", color=LIGHT.get(colour, colour),
        annotation_clip=False, arrowprops=arrow if line else None, **more,
    )  # fmt: skip


def label_ends(axes: Any, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name lines at their right ends; `ends` are their last values, texts and colours."""
    order = sorted(ends)
    heights = [axes.transData.transform((x, value))[1] for value, _, _ in order]
    box = axes.get_window_extent()
    moved = spread_out(heights, _LINE, box.y0, box.y1 + _HALF)
    for (value, text, colour), y, to in zip(order, heights, moved, strict=True):
        label(axes, text, (x, value), (26, to - y), colour, line=True)


def label_dots(axes: Any, dots: Sequence[tuple[float, float, str, str]], bars: Sequence[tuple[float, ...]]) -> None:
    """Name dots (x, y, text, colour) where neither other labels are nor bars (left, low, right, high)."""
    box, to_pixels = axes.get_window_extent(), axes.transData.transform
    taken = [(*(to_pixels(bar[:2]) - 5), *(to_pixels(bar[2:]) + 5)) for bar in bars]
    for x, y, text, colour in sorted(dots, reverse=True):
        width = _CELL * count_cells(text)
        places = [
            (side, up * _LINE, _box(to_pixels((x, y)), side, up * _LINE, width))
            for up in (0, 1, -1, 2, 3, 4, 5, 6, -2)
            for side in (1, -1)
        ]
        side, up, used = next((place for place in places if _is_free(place[2], taken, box)), places[0])
        taken.append(used)
        label(axes, text, (x, y), (side * _BESIDE, up), colour, "left" if side > 0 else "right", line=bool(up))


def _box(at: Sequence[float], side: int, up: float, width: float) -> tuple[float, ...]:
    left = at[0] + _BESIDE if side > 0 else at[0] - _BESIDE - width
    return left, at[1] + up - _HALF, left + width, at[1] + up + _HALF


def _is_free(place: tuple[float, ...], taken: Sequence[tuple[float, ...]], box: Any) -> bool:
    left, low, right, high = place
    is_inside = left > box.x0 and right < box.x1 and low > box.y0 and high < box.y1
    return is_inside and all(right < x0 or left > x1 or high < y0 or low > y1 for x0, y0, x1, y1 in taken)


def spread_out(ascending: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places at least `gap` apart, each near its own, between `low` and `high` if they fit."""
    moved: list[float] = []
    for place in ascending:
        moved.append(max(place, moved[-1] + gap if moved else low))
    limit = max(high, low + gap * (len(moved) - 1))
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - gap
    return moved
