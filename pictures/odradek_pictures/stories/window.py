"""Which steps a picture or table shows: all of a short story, a window of a long one, and in words what is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from statistics import median

import msgspec

from odradek_pictures.stories.story import Kind, Step, Story
from odradek_pictures.text import format_duration

__all__ = ["Cut", "Idle", "Remark", "Row", "choose_window", "format_times", "pick_rows"]

_AROUND_MARK = 3  # and around faults
_IDLE = 10  # this many times the usual time between two steps gets a row of its own


class Cut(msgspec.Struct, frozen=True):
    """Steps that are not shown."""

    count: int

    def __str__(self) -> str:
        return "1 step not shown" if self.count == 1 else f"{self.count:,} steps not shown"


class Idle(msgspec.Struct, frozen=True):
    """A time in which nothing happened, in seconds."""

    seconds: float

    def __str__(self) -> str:
        return f"{format_duration(self.seconds)} later"


class Remark(msgspec.Struct, frozen=True):
    """Words about the next step."""

    text: str


Row = Step | Cut | Idle | Remark


def choose_window(story: Story, most: int) -> set[int]:
    """Return the numbers of at most `most` steps: around marks and faults, and before the last failure or the end."""
    steps = story.steps
    marked = [place for place, step in enumerate(steps) if step.mark]
    struck = [place for place, step in enumerate(steps) if step.kind is Kind.FAULT]
    last = max((place for place, step in enumerate(steps) if step.kind is Kind.FAILED), default=len(steps) - 1)
    chosen = dict.fromkeys(
        near
        for distance in range(_AROUND_MARK + 1)
        for place in (*marked, *struck)
        for near in (place - distance, place + distance)
        if 0 <= near < len(steps)
    )
    chosen = dict.fromkeys([*chosen][: most // 2])
    for place in (*range(last, -1, -1), *range(last + 1, len(steps))):
        if len(chosen) >= most:
            break
        chosen[place] = None
    return {steps[place].number for place in chosen}


def pick_rows(story: Story, shown: Collection[int]) -> list[Row]:
    """Return the steps with these numbers, and between them what is left out, and times in which nothing happened."""
    gaps = [later.at - earlier.at for earlier, later in pairwise(_picked(story, shown)) if later.at > earlier.at]
    return [*_rows(story, shown, _IDLE * median(gaps or [0.0]))]


def _picked(story: Story, shown: Collection[int]) -> Iterator[Step]:
    return (step for step in story.steps if step.number in shown)


def _rows(story: Story, shown: Collection[int], idle_from: float) -> Iterator[Row]:
    left_out = 0
    before: Step | None = None
    for step in story.steps:
        if step.number not in shown:
            left_out += 1
            continue
        if left_out:
            yield Cut(left_out)
            left_out = 0
        elif before and step.at - before.at > idle_from:
            yield Idle(step.at - before.at)
        yield step
        before = step
    if left_out:
        yield Cut(left_out)


def format_times(steps: Iterable[Step]) -> dict[int, str]:
    """Return the times of steps in seconds by number, with three decimals, or up to six if the times have more."""
    times = {step.number: round(step.at, 6) for step in steps}
    digits = next((digits for digits in (3, 4, 5) if all(round(at, digits) == at for at in times.values())), 6)
    return {number: f"{at:.{digits}f}" for number, at in times.items()}
