"""Draws one run: numbers and times of steps, the lines of lanes, arrows, and on top the signs and labels of steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from odradek_pictures.markup import Html, element, join
from odradek_pictures.stories.layout import CELL, GAP, Layout, PlacedRow, arrange, split_lane_name
from odradek_pictures.stories.shapes import arrow_head, badge, bolt, mark_class, sign, text_at
from odradek_pictures.stories.story import Kind, Step
from odradek_pictures.stories.window import Cut, Idle, Remark, Row, format_times
from odradek_pictures.text import count_cells, cut, limit

__all__ = ["HEAD_HEIGHT", "RunDrawing"]

HEAD_HEIGHT = 46.0

_LONGEST_LABEL, _LONGEST_DETAIL = 200, 2000  # characters shown on hover
_SANS_CELL = 5.9
_STARTS_WORK = (Kind.HANDLED, Kind.TIMER, Kind.RESUMED, Kind.NOTE)


class RunDrawing:
    """The drawing of rows of steps; `heads` and `body` are two parts, each from the top left corner on.

    `ends` are the lanes at the other ends of arrows, by the numbers of steps; each is one of `lanes`.
    """

    def __init__(
        self, rows: Sequence[Row], lanes: Sequence[str], ends: Mapping[int, str], *, brief: bool = False
    ) -> None:
        self._ends = ends
        self._brief = brief
        self._steps = [row for row in rows if isinstance(row, Step)]
        self._names = {step.number: f"step {step.shown_number}" for step in self._steps}
        self._moments = format_times(self._steps)
        self.layout: Layout = arrange(lanes, rows, ends, self._moments, brief=brief)

    def heads(self) -> Html:
        """Return the names of the lanes, each above its line."""
        return join(
            *self._gutter(32.0, "step", "seconds", "o-sans o-small o-muted o-end"),
            *(self._head(lane, x) for lane, x in self.layout.columns.items()),
        )

    def _head(self, lane: str, x: float) -> Html:
        kind, name = split_lane_name(lane)
        return element(
            "g",
            element("title", limit(lane, _LONGEST_LABEL)),
            text_at(x, 14.0, kind, "o-sans o-small o-muted o-middle") if kind else "",
            text_at(x, 32.0, name, "o-name o-middle"),
        )

    def body(self) -> Html:
        """Return everything below the heads. Only rows and arrows react to the pointer, with what they are in full."""
        return join(
            *(self._row(item, item.row) for item in self.layout.rows if isinstance(item.row, Step)),
            element("g", *self._lines(), *self._bars(), pointer_events="none"),
            *self._arrows(),
            element("g", *(self._foreground(item) for item in self.layout.rows), pointer_events="none"),
        )

    def _row(self, item: PlacedRow, step: Step) -> Html:
        return element(
            "g",
            element("title", self._in_full(step)),
            element("rect", x=0, y=item.top, width=self.layout.right, height=item.bottom - item.top, class_="o-hit"),
            *self._gutter(item.y, step.shown_number, self._moments[step.number]),
            class_="o-step",
        )

    def _gutter(self, y: float, number: str, time: str, class_: str = "o-small o-muted o-end") -> Iterator[Html]:
        yield text_at(self.layout.number_end, y, number, class_)
        if not self._brief:
            yield text_at(self.layout.time_end, y, time, class_)

    def _in_full(self, step: Step) -> str:
        end = self._ends.get(step.number)
        sent = "" if step.cause is None else f" in {self._names.get(step.cause, 'a step that is not shown')}"
        lines = [
            f"step {step.shown_number} at {self._moments[step.number]} s",
            f"{step.lane} {step.kind.value} {limit(step.label, _LONGEST_LABEL)}".lstrip(),
            f"{'to' if step.kind is Kind.SENT else 'from'} {end}{sent}" if end else "",
            limit(step.detail, _LONGEST_DETAIL),
        ]
        return "\n".join(filter(None, lines))

    def _lines(self) -> Iterator[Html]:
        bottom = self.layout.bottom - 6.0
        for x in self.layout.columns.values():
            yield element("line", x1=x, y1=0, x2=x, y2=bottom, class_="o-life")
        for step in self._steps:
            if step.until is not None and step.lane:
                x, y = self.layout.columns[step.lane], self.layout.heights[step.number]
                end = self.layout.heights.get(step.until, bottom)
                yield element("line", x1=x, y1=y, x2=x, y2=end, class_="o-covered")
                yield element("line", x1=x, y1=y, x2=x, y2=end, class_="o-down")

    def _bars(self) -> Iterator[Html]:
        """Yield a bar for each piece of work: from what began it to the last message that it sent."""
        began: dict[str, float] = {}
        bars: dict[tuple[str, float], float] = {}
        for step in self._steps:
            if step.kind in _STARTS_WORK:
                began[step.lane] = self.layout.heights[step.number]
            elif step.kind is Kind.SENT and step.lane in began:
                bars[step.lane, began[step.lane]] = self.layout.heights[step.number]
            else:
                began.pop(step.lane, None)
        for (lane, top), bottom in bars.items():
            x = self.layout.columns[lane] - 3.5
            yield element("rect", x=x, y=top, width=7, height=bottom - top, rx=2, class_="o-bar")

    def _arrows(self) -> Iterator[Html]:
        """Yield an arrow for each message of which both ends are shown, and a piece of an arrow for the others."""
        heights = self.layout.heights
        arrived = {step.cause for step in self._steps}
        for step in self._steps:
            end = self._ends.get(step.number)
            if end is None:
                continue
            if step.kind is Kind.SENT:
                if step.number not in arrived:
                    yield self._piece(step, f"to {end}, and not handled in the steps shown")
            elif step.cause is None or step.cause in heights:
                yield self._arrow(step, end, heights[step.number if step.cause is None else step.cause])
            else:
                yield self._piece(step, f"from {end}, sent in a step that is not shown")

    def _arrow(self, step: Step, sender: str, y1: float) -> Html:
        x1, x2 = self.layout.columns[sender], self.layout.columns[step.lane]
        y2 = self.layout.heights[step.number]
        mark = mark_class(step)
        if x1 == x2:
            path, dx, dy = f"M{x1:.1f} {y1:g}C{x1 - 34:.1f} {y1:g} {x1 - 34:.1f} {y2:g} {x1 - 12:.1f} {y2:g}", 1.0, 0.0
        else:
            length = math.hypot(x2 - x1, y2 - y1)
            dx, dy = (x2 - x1) / length, (y2 - y1) / length
            path = f"M{x1 + 4 * dx:.1f} {y1 + 4 * dy:.1f}L{x2 - 12 * dx:.1f} {y2 - 12 * dy:.1f}"
        return element(
            "g",
            element("title", f"{limit(step.label, _LONGEST_LABEL)}\nfrom {sender} to {step.lane}"),
            element("path", d=path, class_="o-wide"),
            element("path", d=path, class_=f"o-arrow{mark}"),
            arrow_head(x2 - 5 * dx, y2 - 5 * dy, dx, dy, f"o-head{mark}"),
            class_="o-message",
        )

    def _piece(self, step: Step, told: str) -> Html:
        """Return the piece of an arrow at the end that is shown: where it leaves, or where it arrives."""
        x, y = self.layout.columns[step.lane], self.layout.heights[step.number]
        towards = -1.0 if self.layout.columns[self._ends[step.number]] <= x else 1.0
        mark = mark_class(step)
        if step.kind is Kind.SENT:
            tip = element("circle", cx=x + 38 * towards, cy=y, r=3.5, class_="o-open")
        else:
            tip = arrow_head(x + 5 * towards, y, -towards, 0.0, f"o-head{mark}")
        return element(
            "g",
            element("title", f"{limit(step.label, _LONGEST_LABEL)}\n{told}"),
            element("line", x1=x, y1=y, x2=x + 38 * towards, y2=y, class_=f"o-arrow o-dashed{mark}"),
            tip,
            class_="o-message",
        )

    def _foreground(self, item: PlacedRow) -> Html:
        match item.row:
            case Cut() | Idle():
                return self._gap(item.y, str(item.row))
            case Remark(text):
                return self._remark(item.y, text)
            case Step(kind=Kind.FAILED) as step:
                return self._failed(item, step)
            case Step(lane="") as step:
                return self._everywhere(item, step)
            case Step() as step:
                x = self.layout.columns[step.lane]
                return join(sign(step, x, item.y), self._label(item, step, x))

    def _gap(self, y: float, text: str) -> Html:
        """Return a break in the lines of all lanes, with words for what is left out."""
        xs = self.layout.columns.values()
        return join(
            *(element("rect", x=x - 5, y=y - 8, width=10, height=16, class_="o-ground") for x in xs),
            *(element("circle", cx=x, cy=y + dy, r=1.3, class_="o-node") for x in xs for dy in (-5, 0, 5)),
            element("rect", x=4, y=y - 9, width=_SANS_CELL * count_cells(text) + 10, height=18, class_="o-under"),
            text_at(8.0, y, text, "o-sans o-small o-muted"),
        )

    def _remark(self, y: float, text: str) -> Html:
        right = self.layout.right
        shown = cut(text, int((right - 20.0) / _SANS_CELL))
        return join(
            element("line", x1=0, y1=y, x2=right, y2=y, class_="o-remark"),
            element("rect", x=4, y=y - 9, width=_SANS_CELL * count_cells(shown) + 10, height=18, class_="o-under"),
            text_at(8.0, y, shown, "o-sans o-small"),
        )

    def _failed(self, item: PlacedRow, step: Step) -> Html:
        left, y = self.layout.left, item.y
        frame = element(
            "rect",
            x=6,
            y=item.top + 4,
            width=self.layout.right - 12,
            height=item.bottom - item.top - 8,
            rx=5,
            class_="o-failed",
        )
        first, *rest = item.lines
        return join(
            frame,
            *self._gutter(y, step.shown_number, self._moments[step.number]),
            element("path", d=f"M{left:g} {y - 5:g}l10 10m0 -10l-10 10", class_="o-cross"),
            text_at(left + 20, y, first, "o-strong o-bad"),
            *(text_at(left + 20, y + 17 * place, line) for place, line in enumerate(rest, 1)),
        )

    def _everywhere(self, item: PlacedRow, step: Step) -> Html:
        """Return what strikes all lanes: a line across them, and its label."""
        left, right, y = self.layout.left, self.layout.right, item.y
        x = left + (40.0 if step.mark else 22.0)
        room = int((right - x - 10.0) / CELL)
        label = cut(step.label, room)
        return join(
            element("line", x1=left, y1=y, x2=right, y2=y, class_="o-fault"),
            element(
                "rect", x=left, y=y - 9, width=x - left + count_cells(label) * CELL + 8, height=18, class_="o-ground"
            ),
            bolt(left + 8, y),
            badge(left + 26, y, step.mark) if step.mark else "",
            text_at(x, y, label, "o-strong o-bad"),
            text_at(x, y + 15, cut(step.detail, room), "o-small o-muted") if item.label and item.label.detail else "",
        )

    def _label(self, item: PlacedRow, step: Step, x: float) -> Html:
        label = item.label
        if label is None:
            return Html()
        x += label.side * GAP
        width = label.width - GAP
        end = " o-end" if label.side < 0 else ""
        tone = mark_class(step) or (" o-bad" if step.kind is Kind.FAULT else "")
        weight = "o-strong" if step.kind is not Kind.SENT else "" if tone else "o-muted"
        inner = x + label.side * (20.0 if step.mark else 0.0)
        return join(
            element(
                "rect",
                x=x if label.side > 0 else x - width,
                y=item.y - 9,
                width=width,
                height=33 if label.detail else 18,
                class_="o-under",
            ),
            badge(x + label.side * 8, item.y, step.mark) if step.mark else "",
            text_at(inner, item.y, label.text, f"{weight}{tone}{end}".strip()),
            text_at(inner, item.y + 15, label.detail, f"o-small o-muted{end}") if label.detail else "",
        )
