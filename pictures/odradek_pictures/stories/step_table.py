"""The steps of a story as lines of text, for terminals and for the messages of failed tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from odradek_pictures.stories.difference import compare, describe_difference
from odradek_pictures.stories.story import Kind, Step, Story
from odradek_pictures.stories.window import choose_window, format_times, pick_rows
from odradek_pictures.text import count_cells, cut, pad, wrap

__all__ = ["format_steps"]

_NARROWEST, _WIDEST_LANE = 60, 24
_VERB = max(len(kind.value) for kind in Kind)
_SIGNS = {Kind.FAULT: "!", Kind.FAILED: "X"}


def format_steps(story: Story, passing: Story | None = None, *, width: int = 120, most_steps: int = 60) -> list[str]:
    """Return lines of at most `width` cells (60 or more): what a passing run did differently, and the steps.

    A marked step has its letter in front, a fault `!`, a failed check `X`. Long lines are cut, except failed checks.
    """
    return [line.rstrip() for line in _lines(story, passing, max(_NARROWEST, width), most_steps)]


def _lines(story: Story, passing: Story | None, width: int, most_steps: int) -> Iterator[str]:
    comparison = compare(story, passing)
    if comparison.difference:
        yield from wrap(describe_difference(comparison.difference), width)
        yield from (cut(f"{letter}  {text}", width) for letter, text in comparison.letters())
        yield ""
    story = comparison.story.foreground()
    picked = pick_rows(story, choose_window(story, most_steps))
    steps = [row for row in picked if isinstance(row, Step)]
    times, ends = format_times(steps), story.other_ends()
    number = max([4, *(len(step.shown_number) for step in steps)])
    time = max([7, *map(len, times.values())])
    lane = min(_WIDEST_LANE, max([5, *(count_cells(_where(step)) for step in steps)]))
    yield f"   {'step':>{number}}  {'seconds':>{time}}  {'where':{lane}}  what"
    for row in picked:
        if not isinstance(row, Step):
            yield f"{'':{number + time + 7}}... {row}"
            continue
        sign = row.mark or _SIGNS.get(row.kind, "")
        where = pad(cut(_where(row), lane), lane)
        start = f"{sign:3}{row.shown_number:>{number}}  {times[row.number]:>{time}}  {where}  "
        first, *rest = _what(row, ends, width - count_cells(start))
        yield start + first
        yield from (" " * count_cells(start) + line for line in rest)
    if left_out := len(comparison.story.steps) - len(story.steps):
        hidden = ", ".join(story.background)
        yield cut(f"{'':{number + time + 7}}{left_out:,} steps in the background not shown: {hidden}", width)


def _where(step: Step) -> str:
    return step.lane or "everywhere"


def _what(step: Step, ends: Mapping[int, str], width: int) -> list[str]:
    if step.kind is Kind.FAILED:
        return wrap(f"{step.kind.value}: {step.label}\n{step.detail}".strip(), width)
    end = ends.get(step.number)
    peer = f" {'to' if step.kind is Kind.SENT else 'from'} {end}" if end else ""
    return [cut(f"{step.kind.value:{_VERB}} {step.label}{peer}  {step.detail}", width)]
