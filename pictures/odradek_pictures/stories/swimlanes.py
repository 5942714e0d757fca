"""Swimlanes: a line for each actor and client, time downwards, and arrows from where messages left to where they went.

The form is Lamport's space-time diagram, turned so that text reads well. Rows are steps and not seconds: each step has
a row and a label of its own, so that labels never overlap, and a long time without steps takes one row. Where two
arrows to one lane cross, one message overtook the other.

Beside a passing run, the picture first shows the two things whose order differs, as both runs have them, then the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from odradek_pictures.drawing import Drawing
from odradek_pictures.markup import Html, element, join
from odradek_pictures.stories.difference import compare, describe_difference
from odradek_pictures.stories.lanes import order_lanes
from odradek_pictures.stories.layout import CELL
from odradek_pictures.stories.run_drawing import HEAD_HEIGHT, RunDrawing
from odradek_pictures.stories.shapes import badge, text_at
from odradek_pictures.stories.story import Kind, Step, Story
from odradek_pictures.stories.window import Cut, Remark, Row, choose_window, pick_rows
from odradek_pictures.text import cut, limit, wrap

__all__ = ["MOST_STEPS", "Swimlanes", "draw_swimlanes"]

MOST_STEPS = 200
"""How many steps of a longer story are drawn."""

_HOW_TO_READ = (
    "Time runs down, and each column is one participant. An arrow leads from the step that sent a message to the step "
    "that handled it."
)
_MARGIN, _BETWEEN, _LINE = 16.0, 40.0, 20.0
_NARROWEST, _WIDEST, _TALL = 640.0, 1240.0, 900.0
_LONGEST = 1000  # characters of a headline


def draw_swimlanes(story: Story, passing: Story | None = None, *, most_steps: int = MOST_STEPS) -> Drawing:
    """Draw a story and, if there is a passing run of the same program, what that did differently."""
    return Swimlanes(story, passing, most_steps).whole()


class Swimlanes:
    """A swimlane picture: its parts, for a page that arranges them itself, and the whole.

    `background` says whether to draw the background of the story; `left_out` counts the steps in it that are not drawn.
    """

    def __init__(
        self,
        story: Story,
        passing: Story | None = None,
        most_steps: int = MOST_STEPS,
        *,
        background: bool = False,
    ) -> None:
        self.comparison = compare(story, passing)
        self.drawn = self.comparison.story if background else self.comparison.story.foreground()
        self.left_out = len(story.steps) - len(self.drawn.steps)
        self.shown = choose_window(self.drawn, most_steps)
        self._lanes, self._run = _run(self.drawn, [*self._rows()])

    def _rows(self) -> Iterator[Row]:
        found = self.comparison.difference
        for row in pick_rows(self.drawn, self.shown):
            if found and isinstance(row, Step) and row.number == found.a.number:
                place = f"to {found.lane} here" if found.lane else "here"
                told = f"B comes {place}" if found.passing_b else "A does not happen"
                yield Remark(f"First difference: in the nearest passing run, {told}.")
            yield row

    def caption(self) -> str:
        """Say how much of the story is drawn, and how to read it."""
        shown, of = len(self.shown), len(self.drawn.steps)
        around = " and those around the first difference" if self.comparison.difference else ""
        extent = f"All {of:,} steps are drawn."
        if shown < of:
            extent = f"Of {of:,} steps, {shown:,} are drawn: the last ones{around}."
        if self.left_out:
            hidden = ", ".join(self.comparison.story.background)
            extent += f" {self.left_out:,} more belong to the background: {hidden}, and messages from and to them."
        return f"{extent} {_HOW_TO_READ}"

    def description(self) -> str:
        """Return in words what the picture shows."""
        found = self.comparison.difference
        told = [
            f"Lanes: {', '.join(self._lanes)}.",
            *(f"{headline}." for headline in self._headlines()),
            *([describe_difference(found)] if found else []),
        ]
        return " ".join([self.caption(), *told, *(f"{letter}: {text}." for letter, text in self.comparison.letters())])

    def _title(self) -> str:
        return limit(self.comparison.story.title, _LONGEST)

    def _headlines(self) -> list[str]:
        failed = (step for step in self.comparison.story.steps if step.kind is Kind.FAILED)
        return [f"Check failed: {limit(step.label, _LONGEST)}" for step in failed]

    def excerpts(self) -> tuple[Drawing, Drawing] | None:
        """Draw the first difference as it is in this run, and as it is in the passing one."""
        found, story, passing = self.comparison.difference, self.comparison.story, self.comparison.passing
        if found is None or passing is None:
            return None
        here, there = [found.a, found.b], [found.passing_b, found.passing_a]
        if found.passing_b is None:  # there is no B: show what the passing run did at this place instead
            place = [step.number for step in story.steps].index(found.a.number)
            around = slice(max(0, place - 1), place + 3)
            here += story.steps[around]
            there += passing.steps[around]
        return (
            self._excerpt("This run", "the check fails", "o-bad", story, here),
            self._excerpt("Nearest passing run", "the check passes", "o-c", passing, there),
        )

    def _excerpt(self, name: str, outcome: str, class_: str, story: Story, steps: list[Step | None]) -> Drawing:
        """Draw these steps and those that sent them."""
        shown = {number for step in steps if step for number in (step.number, step.cause) if number is not None}
        picked = pick_rows(story, shown)
        if picked and isinstance(picked[0], Cut):
            picked = picked[1:]
        if picked and isinstance(picked[-1], Cut):
            picked = picked[:-1]
        _, run = _run(story, picked, self._lanes, brief=True)
        return Drawing(
            width=run.layout.right,
            height=HEAD_HEIGHT + 22.0 + run.layout.bottom,
            title=f"{name}: {outcome}",
            description="The first difference, drawn.",
            content=join(
                text_at(0.0, 8.0, name, "o-name"),
                text_at(8.0 * len(name) + 10.0, 8.0, outcome, f"o-sans {class_}"),
                element("g", run.heads(), transform="translate(0 22)"),
                element("g", run.body(), transform=f"translate(0 {HEAD_HEIGHT + 22:g})"),
            ),
        )

    def heads(self) -> Drawing:
        """Draw the names of the lanes."""
        return self._drawing(HEAD_HEIGHT, self._run.heads())

    def body(self) -> Drawing:
        """Draw the steps, which belong below the names of the lanes."""
        return self._drawing(self._run.layout.bottom, self._run.body())

    def _drawing(self, height: float, content: Html) -> Drawing:
        return Drawing(
            width=self._run.layout.right,
            height=height,
            title=self._title(),
            description=self.description(),
            content=content,
        )

    def whole(self) -> Drawing:
        """Draw everything: what failed, the first difference, and the run."""
        heads, body = self.heads(), self.body()
        placed, width, height = _beside(self.excerpts() or ())
        for part in (heads, body, heads) if body.height > _TALL else (heads, body):
            placed.append((0.0, height, part))
            width, height = max(width, part.width), height + part.height
        width = max(width, _NARROWEST) + 2 * _MARGIN
        words, top = self._words(width - 2 * _MARGIN)
        drawn = [
            element("g", part.content, transform=f"translate({_MARGIN + x:g} {top + y:g})") for x, y, part in placed
        ]
        return Drawing(
            width=width,
            height=top + height + _MARGIN,
            title=body.title,
            description=body.description,
            content=join(*words, *drawn),
        )

    def _words(self, width: float) -> tuple[list[Html], float]:
        """Return the lines above the picture, and their height."""
        found = self.comparison.difference
        paragraphs = [
            (self._title(), "o-title", 9.6),
            *((text, "o-sans o-bad", 6.4) for text in self._headlines()),
            (self.caption(), "o-sans o-muted", 6.4),
            *([(describe_difference(found), "o-sans", 6.4)] if found else []),
        ]
        drawn: list[Html] = []
        y = _MARGIN + 12.0
        for text, class_, cell in paragraphs:
            for line in wrap(text, int(width / cell)):
                drawn.append(text_at(_MARGIN, y, line, class_))
                y += _LINE
            y += 4.0
        for letter, text in self.comparison.letters():
            words = cut(text, int((width - 24.0) / CELL))
            drawn += [badge(_MARGIN + 8.0, y, letter), text_at(_MARGIN + 24.0, y, words)]
            y += _LINE
        return drawn, y + 12.0


def _run(
    story: Story, picked: Sequence[Row], order: Sequence[str] = (), *, brief: bool = False
) -> tuple[list[str], RunDrawing]:
    """Return the lanes of the steps shown, in the order given or a good one, and the drawing of the steps."""
    ends = story.other_ends()
    steps = [row for row in picked if isinstance(row, Step) and row.lane]
    arrows = [(step.lane, ends.get(step.number, step.lane)) for step in steps]
    found = order_lanes((lane for arrow in arrows for lane in arrow), arrows)
    given = [lane for lane in order or story.lanes if lane in found]
    lanes = [*given, *(lane for lane in found if lane not in given)]
    return lanes, RunDrawing(picked, lanes, ends, brief=brief)


def _beside(parts: Iterable[Drawing]) -> tuple[list[tuple[float, float, Drawing]], float, float]:
    """Place drawings beside each other, or below if they are wide; return them, and their width and height together."""
    placed: list[tuple[float, float, Drawing]] = []
    x = y = width = height = 0.0
    for part in parts:
        if x + part.width > _WIDEST:
            x, y = 0.0, height
        placed.append((x, y, part))
        x += part.width + _BETWEEN
        width, height = max(width, x - _BETWEEN), max(height, y + part.height + _BETWEEN)
    return placed, width, height
