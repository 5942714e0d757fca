"""A page about a story: what failed, what a passing run did differently, the swimlanes, and the steps as a table."""

from __future__ import annotations

from collections.abc import Iterable

from odradek_pictures.drawing import inline_svg
from odradek_pictures.markup import Html, element
from odradek_pictures.page import Content, Tone, code, details, facts, figure, paragraph, render_page, section, table
from odradek_pictures.stories.difference import describe_difference
from odradek_pictures.stories.story import Kind, Step, Story
from odradek_pictures.stories.swimlanes import MOST_STEPS, Swimlanes
from odradek_pictures.stories.window import format_times
from odradek_pictures.text import limit

__all__ = ["render_story", "run_figure"]

_LONGEST_LABEL, _LONGEST_DETAIL = 300, 4000


def render_story(
    story: Story,
    passing: Story | None = None,
    *,
    about: Iterable[tuple[Content, Content]] = (),
    most_steps: int = MOST_STEPS,
) -> str:
    """Return an HTML page about a story. `about` are facts to begin with, such as the command that repeats the run."""
    picture = Swimlanes(story, passing, most_steps)
    whole = Swimlanes(story, passing, most_steps, background=True) if picture.left_out else picture
    return render_page(
        limit(story.title, _LONGEST_LABEL),
        *(_failed(step) for step in story.steps if step.kind is Kind.FAILED),
        facts(about),
        _difference(picture),
        section("The run", run_figure(picture)),
        "" if whole is picture else details("The run with its background", run_figure(whole)),
        details("The steps as a table", _steps(whole)),
    )


def run_figure(picture: Swimlanes) -> Html:
    """Return the swimlanes of a run for a page; the names of the lanes stay in sight."""
    return element(
        "figure",
        element("figcaption", f"{picture.caption()} Hover over a step or an arrow to see it in full."),
        element("div", inline_svg(picture.heads()), class_="heads"),
        inline_svg(picture.body()),
    )


def _failed(step: Step) -> Html:
    where = f"{step.lane}: " if step.lane and step.detail else ""
    return paragraph(
        element("strong", f"✕ Check failed: {limit(step.label, _LONGEST_LABEL)}"),
        f"\n{where}{limit(step.detail, _LONGEST_DETAIL)}",
        tone=Tone.BAD,
    )


def _difference(picture: Swimlanes) -> Html:
    comparison, drawings = picture.comparison, picture.excerpts()
    if comparison.passing is None:
        return Html()
    if comparison.difference is None or drawings is None:
        same = "Every actor and client handled the same things in the same order as in the nearest passing run."
        return section("The first difference", paragraph(same))
    return section(
        "The first difference",
        paragraph(describe_difference(comparison.difference)),
        facts((_letter(letter), code(text)) for letter, text in comparison.letters()),
        element("div", *map(figure, drawings), class_="beside"),
    )


def _letter(mark: str) -> Html:
    return element("span", mark, class_=f"letter {mark.lower()}")


def _steps(picture: Swimlanes) -> Html:
    story = picture.drawn
    steps = [step for step in story.steps if step.number in picture.shown]
    times = format_times(steps)
    return table(
        ("step", "seconds", "where", "what", "", "message", "sent by", "in step", "payload"),
        (
            (
                step.shown_number,
                element("span", times[step.number], class_="mono"),
                step.lane or "everywhere",
                step.kind.value,
                step.mark and _letter(step.mark),
                code(limit(step.label, _LONGEST_LABEL)),
                "" if step.kind is Kind.SENT else story.sender(step),
                "" if step.cause is None else story.step(step.cause).shown_number,
                code(limit(step.detail, _LONGEST_DETAIL)),
            )
            for step in steps
        ),
    )
