"""The plots of a report: a title that states the finding, units on the axes, and labels beside what they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from odradek_boundaries.report.curves import Curves
from odradek_boundaries.report.labels import label, label_dots, label_ends, shorten, spread_out
from odradek_boundaries.report.reading import format_percent, kept_names
from odradek_boundaries.report.svg import COLOURS, WIDTH, plot
from odradek_boundaries.study import Spread, Study, format_number
from odradek_pictures.markup import Html
from odradek_pictures.text import wrap
from odradek_pictures.theme import LIGHT

__all__ = ["draw_attempts", "draw_clients", "draw_conflicts", "draw_folds", "draw_loads", "thin"]

T = TypeVar("T")

_MOST_POINTS = 200
_LEFT, _LABELS, _BOTTOM, _BETWEEN = 64, 250, 50, 34  # pixels around axes; labels of lines are to the right of them
_MARKERS = "os^DvP"
_PARTS = (("committed", "line"), ("stale", "bad"), ("real conflict", "a"), ("false conflict", "b"))


def draw_conflicts(study: Study, title: str) -> Html:
    """Draw conflicts against stale decisions and, below, broken rules: a dot per boundary, bars for the seeds."""
    names = {"stale": "stale decisions per run", "broken": "broken rules per run"}
    shown = [name for name in names if any(row[name] for row in study.rows())] or ["stale"]

    def panel(metric: str) -> Callable[[Any], None]:
        def draw(axes: Any) -> None:
            _name_axes(axes, "refused appends, % of all attempts", names[metric])
            axes.set_xlim(0, 1.06 * max(row["conflict_share"] for row in study.rows()) or 1)
            axes.set_ylim(0, 1.35 * max(row[metric] for row in study.rows()) or 1)
            _draw_dots(axes, study, metric)

        return draw

    return _plot("conflicts", title, [panel(metric) for metric in shown], 200, right=24)


def _draw_dots(axes: Any, study: Study, metric: str) -> None:
    kept, rows = kept_names(study), thin(study.rows())
    dots, bars = [], []
    for place, name in enumerate(study.boundaries):
        colour, marker = _look(place)
        x, x_low, x_high = _numbers(study.spread(name, "conflict_share"))
        y, y_low, y_high = _numbers(study.spread(name, metric))
        seeds = [(row["conflict_share"], row[metric]) for row in rows if row["boundary"] == name]
        _draw_points(axes, seeds, marker, colour)
        axes.plot([x_low, x_high], [y, y], color=colour, linewidth=1.2, clip_on=False)
        axes.plot([x, x], [y_low, y_high], color=colour, linewidth=1.2, clip_on=False)
        face = colour if name in kept else LIGHT["ground"]
        look = {"markersize": 9, "markerfacecolor": face, "markeredgewidth": 1.8, "clip_on": False, "zorder": 4}
        axes.plot(x, y, marker, color=colour, **look)
        dots.append((x, y, shorten(name), colour))
        bars += [(x_low, y, x_high, y), (x, y_low, x, y_high)]
    label_dots(axes, dots, bars)


def _numbers(spread: Spread) -> tuple[float, float, float]:
    return spread.mean or 0.0, spread.low or 0.0, spread.high or 0.0


def draw_attempts(study: Study, title: str) -> Html:
    """Draw what became of all attempts: committed, stale, real conflicts and false ones, a bar per boundary."""
    sizes = {name: _attempts(study, name) for name in study.boundaries}
    names = sorted(sizes, key=lambda name: -sum(sizes[name]))

    def draw(axes: Any) -> None:
        axes.grid(False)
        axes.grid(True, axis="x")
        _name_axes(axes, "attempts per run, mean of the seeds", "")
        axes.set_xlim(0, max(map(sum, sizes.values())))
        axes.set_ylim(len(names) - 0.5, -0.8)
        axes.set_yticks(range(len(names)), [shorten(name) for name in names], color=LIGHT["ink"])
        for row, name in enumerate(names):
            begin = 0.0
            for size, (_, colour) in zip(sizes[name], _PARTS, strict=True):
                axes.barh(row, size, 0.62, begin, color=LIGHT[colour])
                begin += size
            share = format_percent(study.spread(name, "conflict_share").mean or 0.0)
            label(axes, f"{share} refused", (begin, row), (7, 7 if sizes[name][1] else 0))
            if sizes[name][1]:
                label(axes, f"{format_number(round(sizes[name][1], 1))} stale", (begin, row), (7, -7), "bad")
        _label_parts(axes, sizes[names[0]])

    return _plot("attempts", title, [draw], 34 * len(names) + 10, left=_LABELS, right=130)


def _attempts(study: Study, name: str) -> list[float]:
    """Return the sizes of the parts, per run."""
    counts = [each.counts for each in study.of(name)]
    stale, conflicts = sum(each.stale for each in counts), sum(each.conflicts for each in counts)
    appended, same = sum(each.appended for each in counts), sum(each.same_decision for each in counts)
    return [total / len(counts) for total in (appended - stale, stale, conflicts - same, same)]


def _label_parts(axes: Any, sizes: Sequence[float]) -> None:
    """Name the parts of the first bar above it; stale ones are named where they are."""
    shown = [place for place, (name, _) in enumerate(_PARTS) if name != "stale" and sizes[place]]
    middles = [sum(sizes[:place]) + sizes[place] / 2 for place in shown]
    at = [axes.transData.transform((middle, 0))[0] for middle in middles]
    box = axes.get_window_extent()
    for place, middle, x, moved in zip(shown, middles, at, spread_out(at, 108, box.x0, box.x1), strict=True):
        name, colour = _PARTS[place]
        label(
            axes, name, (middle, -0.25), (moved - x, 24), "muted" if colour == "line" else colour, "center", line=True
        )


def draw_loads(curves: Curves, title: str) -> Html:
    """Draw conflicts by load, and the law of one unit."""

    def law(load: float) -> float:
        x = load * curves.service_ms / 1000
        return 100 * x / (1 + x)

    def draw(axes: Any) -> None:
        _name_axes(axes, "commands per second, logarithmic", "refused, % of commands")
        axes.set_xscale("log", base=2)
        axes.set_xticks(curves.loads, [f"{load:,.4g}" for load in curves.loads])
        axes.set_ylim(0, 100)
        low, high = curves.loads[0], curves.loads[-1]
        loads = [low * (high / low) ** (step / 60) for step in range(61)]
        axes.plot(loads, [law(load) for load in loads], "--", color=LIGHT["muted"], linewidth=1.3)
        ends = _draw_lines(axes, curves.loads, curves.conflict_shares)
        label_ends(axes, high, [*ends, (law(high), "x/(1+x): one unit", "muted")])

    return _plot("loads", title, [draw], 250)


def draw_clients(study: Study, curves: Curves, title: str) -> Html:
    """Draw throughput by clients, and at the right the ceiling of each boundary; an arrow points at those beyond."""
    ceilings = [1000 / curves.service_ms * (study.spread(name, "ceiling").mean or 0) for name in study.boundaries]
    highest = 1.6 * max(max(values) for values in curves.throughputs.values())

    def draw(axes: Any) -> None:
        _name_axes(axes, "clients", "appended commands per second")
        last = curves.clients[-1]
        end = last * 1.07
        axes.set_xticks(curves.clients)
        axes.set_xlim(0, end)
        axes.set_ylim(0, min(highest, 1.08 * max(ceilings)))
        _draw_lines(axes, curves.clients, curves.throughputs)
        ends = []
        for place, (name, ceiling) in enumerate(zip(study.boundaries, ceilings, strict=True)):
            colour, shown = _look(place)[0], min(ceiling, highest)
            axes.plot([last * 1.03, end], [shown, shown], color=colour, linewidth=2.5, clip_on=False)
            ends.append((shown, f"{shorten(name)}: {ceiling:,.0f}{' ↑' if shown < ceiling else ''}", colour))
        label(axes, "ceiling", (end, axes.get_ylim()[1]), (26, 22), "muted")
        label_ends(axes, end, ends)

    return _plot("clients", title, [draw], 290, right=_LABELS + 40)


def draw_folds(study: Study, title: str) -> Html:
    """Draw the events folded per decision in the course of a run: some decisions as dots, their means as lines."""
    samples = {name: _in_percent(study.of(name)[0].counts.folded_samples) for name in study.boundaries}

    def draw(axes: Any) -> None:
        _name_axes(axes, "course of the run, % of its decisions", "events folded for a decision")
        dots = thin([(place, point) for place, points in enumerate(samples.values()) for point in points])
        for place, same in groupby(dots, key=lambda dot: dot[0]):
            _draw_points(axes, [point for _, point in same], *_look(place)[::-1])
        ends = []
        for place, (name, points) in enumerate(samples.items()):
            means, colour = _means(points), _look(place)[0]
            axes.plot(*zip(*means, strict=True), color=colour, linewidth=1.8)
            ends.append((means[-1][1], shorten(name), colour))
        axes.set_xlim(0, 100)
        axes.set_ylim(0)
        label_ends(axes, 100, ends)

    return _plot("folds", title, [draw], 250)


def _in_percent(points: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return samples (number of the decision, events) by the share of the run."""
    last = points[-1][0] if points else 0
    return [(100 * number / (last or 1), events) for number, events in points] or [(0.0, 0.0)]


def _means(points: Sequence[tuple[float, float]], parts: int = 16) -> list[tuple[float, float]]:
    """Return the means of consecutive parts of the points, from the first to the last place."""
    size = -(-len(points) // parts)
    chunks = [points[first : first + size] for first in range(0, len(points), size)]
    places = [points[0][0], *((chunk[0][0] + chunk[-1][0]) / 2 for chunk in chunks[1:-1]), points[-1][0]]
    means = [sum(events for _, events in chunk) / len(chunk) for chunk in chunks]
    return list(zip(places[: len(means)], means, strict=True))


def _draw_lines(axes: Any, at: Sequence[float], by_name: dict[str, tuple[float, ...]]) -> list[tuple[float, str, str]]:
    """Draw a line for each boundary, and return their ends for labels."""
    ends = []
    for place, (name, values) in enumerate(by_name.items()):
        colour, marker = _look(place)
        axes.plot(at, values, f"{marker}-", color=colour, linewidth=1.8, markersize=5, clip_on=False, zorder=3)
        ends.append((values[-1], shorten(name), colour))
    return ends


def _draw_points(axes: Any, points: Sequence[tuple[float, float]], marker: str, colour: str) -> None:
    x, y = zip(*points, strict=True) if points else ((), ())
    axes.plot(x, y, marker, color=colour, alpha=0.3, markersize=4, markeredgewidth=0, clip_on=False)


def thin(items: Sequence[T], most: int = _MOST_POINTS) -> list[T]:
    """Return at most so many items, at equal distances."""
    return list(items[:: max(1, -(-len(items) // most))])


def _look(place: int) -> tuple[str, str]:
    """Return the colour and the marker of a boundary."""
    return COLOURS[place % len(COLOURS)], _MARKERS[place % len(_MARKERS)]


def _plot(
    name: str,
    title: str,
    panels: Sequence[Callable[[Any], None]],
    height: float,
    left: float = _LEFT,
    right: float = _LABELS,
) -> Html:
    """Return a plot with a title and panels below each other, of this height in pixels, with these margins."""
    lines = wrap(title, 92)[:2]
    top = 52 + 20 * len(lines)
    total = top + len(panels) * (height + _BOTTOM) + (len(panels) - 1) * _BETWEEN

    def draw(figure: Any) -> None:
        for number, line in enumerate(lines):
            y = 1 - (20 + 20 * number) / total
            figure.text(14 / WIDTH, y, line, fontsize=15, fontweight="bold", va="center")
        for number, panel in enumerate(panels):
            low = total - top - number * (height + _BOTTOM + _BETWEEN) - height
            panel(figure.add_axes((left / WIDTH, low / total, (WIDTH - left - right) / WIDTH, height / total)))

    return plot(name, title, draw, total)


def _name_axes(axes: Any, x: str, y: str) -> None:
    """Name the axes, the vertical one above it, so that no text is turned; write numbers with separators."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.set_xlabel(x, loc="right", labelpad=6)
    label(axes, y, (0, 1), (-50, 22), "muted", xycoords="axes fraction")
