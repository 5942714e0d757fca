"""Where everything in a swimlane picture is: columns wide enough for their labels, and rows with one label each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from odradek_pictures.stories.story import Kind, Step
from odradek_pictures.stories.window import Row
from odradek_pictures.text import count_cells, cut, wrap

__all__ = ["CELL", "GAP", "Label", "Layout", "PlacedRow", "arrange", "split_lane_name"]

CELL = 7.3
"""The width of a character of a label in pixels: 0.61 of its 12 pixels, which no common monospaced font exceeds."""
GAP = 14.0
"""From the line of a lane to the labels beside it."""

_SMALL_CELL, _NAME_CELL = 6.7, 8.0
_LABEL_CELLS, _DETAIL_CELLS, _NAME_CELLS = 22, 24, 22
_NARROWEST_LANE, _NARROWEST, _PADDING, _BADGE = 96.0, 420.0, 20.0, 20.0
_ROW, _ROW_WITH_DETAIL, _ROW_OF_WORDS, _LINE = 24.0, 41.0, 30.0, 17.0
_LONGEST_FAILURE, _MOST_LINES = 1200, 8
_PREFIXES = {Kind.TIMER: "timer", Kind.RESUMED: "resumes"}


class Label(msgspec.Struct, frozen=True):
    """One or two lines on the left (-1) or right (1) of a lane's line; `width` includes the gap."""

    text: str
    detail: str
    side: int
    width: float


class PlacedRow(msgspec.Struct, frozen=True):
    """A row from `top` to `bottom`, which shows its step at the height `y`; `lines` are those of a failed check."""

    row: Row
    top: float
    y: float
    bottom: float
    label: Label | None = None
    lines: tuple[str, ...] = ()


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The middles of the lanes, the rows, and the heights of steps by number.

    Step numbers end at `number_end` and times at `time_end`, both to the left of the lanes, which begin at `left`.
    """

    columns: dict[str, float]
    rows: list[PlacedRow]
    heights: dict[int, float]
    number_end: float
    time_end: float
    left: float
    right: float
    bottom: float


def split_lane_name(lane: str) -> tuple[str, str]:
    """Return the two lines of a lane's head: `topic/orders` is the topic orders."""
    for separator in "/", " ":
        kind, _, name = lane.partition(separator)
        if kind and name:
            return cut(kind, _NAME_CELLS), cut(name, _NAME_CELLS)
    return "", cut(lane, _NAME_CELLS)


def arrange(
    lanes: Sequence[str], rows: Sequence[Row], ends: Mapping[int, str], times: Mapping[int, str], *, brief: bool = False
) -> Layout:
    """Place the lanes from left to right and the rows from top to bottom; brief means without details and times."""
    order = {lane: place for place, lane in enumerate(lanes)}
    steps = [row for row in rows if isinstance(row, Step) and row.kind is not Kind.FAILED]
    labels = {step.number: _label(step, order, ends, brief) for step in steps}
    number_end = max(34.0, 8.0 + _SMALL_CELL * max((len(step.shown_number) for step in steps), default=0))
    time_width = max(52.0, _SMALL_CELL * max(map(len, times.values()), default=0))
    time_end = number_end if brief else number_end + 14.0 + time_width
    left = time_end + 10.0
    columns, right = _columns(lanes, [(step.lane, labels[step.number]) for step in steps if step.lane], left)
    placed = _placed(rows, labels, left, right)
    return Layout(
        columns=columns,
        rows=placed,
        heights={item.row.number: item.y for item in placed if isinstance(item.row, Step)},
        number_end=number_end,
        time_end=time_end,
        left=left,
        right=right,
        bottom=placed[-1].bottom if placed else 0.0,
    )


def _label(step: Step, order: Mapping[str, int], ends: Mapping[int, str], brief: bool) -> Label:
    """Return the label of a step, on the side that the step's own arrow leaves free."""
    end = ends.get(step.number, step.lane)
    side = -1 if step.lane and order[end] > order[step.lane] else 1
    text = cut(f"{_PREFIXES.get(step.kind, '')} {step.label}".strip(), _LABEL_CELLS)
    detail = "" if brief or step.kind is Kind.SENT else cut(step.detail, _DETAIL_CELLS)
    width = max(count_cells(text) * CELL, count_cells(detail) * _SMALL_CELL)
    return Label(text, detail, side, GAP + (_BADGE if step.mark else 0.0) + width)


def _columns(lanes: Sequence[str], labels: Iterable[tuple[str, Label]], left: float) -> tuple[dict[str, float], float]:
    """Return the middle of each lane, and where the last one ends.

    Labels of two lanes are never in one row, so the wider of the two decides how far apart the lanes are.
    """
    heads = {lane: _head_width(lane) / 2 for lane in lanes}
    widths = {(lane, side): heads[lane] for lane in lanes for side in (-1, 1)}
    for lane, label in labels:
        widths[lane, label.side] = max(widths[lane, label.side], label.width)
    columns: dict[str, float] = {}
    x, before = left, ""
    for lane in lanes:
        needed = widths[lane, -1] + _PADDING
        if columns:
            needed = max(needed, widths[before, 1] + _PADDING, heads[before] + heads[lane] + _PADDING, _NARROWEST_LANE)
        x += needed
        columns[lane] = x
        before = lane
    return columns, max(left + _NARROWEST, x + (widths[before, 1] if columns else 0.0) + _PADDING)


def _head_width(lane: str) -> float:
    kind, name = split_lane_name(lane)
    return max(count_cells(kind) * _SMALL_CELL, count_cells(name) * _NAME_CELL) + 16.0


def _placed(rows: Iterable[Row], labels: Mapping[int, Label], left: float, right: float) -> list[PlacedRow]:
    placed: list[PlacedRow] = []
    top = 6.0
    for row in rows:
        label: Label | None = None
        lines: tuple[str, ...] = ()
        y = top + _ROW / 2
        if not isinstance(row, Step):
            height, y = _ROW_OF_WORDS, top + _ROW_OF_WORDS / 2
        elif row.kind is Kind.FAILED:
            told = f"{row.label}\n{row.detail}".strip()[:_LONGEST_FAILURE]
            lines = tuple(wrap(told, int((right - left - 44.0) / CELL))[:_MOST_LINES])
            height, y = 26.0 + _LINE * len(lines), top + 21.0
        else:
            label = labels[row.number]
            height = _ROW_WITH_DETAIL if label.detail else _ROW
        placed.append(PlacedRow(row, top, y, top + height, label, lines))
        top += height
    return placed
