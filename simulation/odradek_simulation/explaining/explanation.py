"""Explains a run: its steps, and what the nearest passing run did differently, as a page, a picture or a table."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from odradek_pictures import Story, draw_swimlanes, format_steps, render_story, svg_file
from odradek_simulation.choices.streams import Recipe
from odradek_simulation.explaining.nearest import nearest_passing
from odradek_simulation.explaining.story import story_of
from odradek_simulation.world.result import Result

__all__ = ["Explanation", "explain"]

_NONE = "No run near this one was found that passes"


class Explanation(msgspec.Struct, frozen=True):
    """The story of a run, the story of the nearest passing one if the run failed, and facts about the run."""

    story: Story
    passing: Story | None
    about: tuple[tuple[str, str], ...]
    is_failure: bool

    def html(self) -> str:
        """Return a self-contained page."""
        return render_story(self.story, self.passing, about=self.about)

    def svg(self) -> str:
        """Return an SVG file."""
        return svg_file(draw_swimlanes(self.story, self.passing))

    def lines(self, width: int = 120, most_steps: int = 60) -> list[str]:
        """Return the difference and the last steps as lines of text."""
        lines = format_steps(self.story, self.passing, width=width, most_steps=most_steps)
        return lines if self.passing is not None or not self.is_failure else [f"{_NONE}.", "", *lines]


def explain(result: Result, rerun: Callable[[Recipe], Result]) -> Explanation:
    """Explain a traced run; `rerun` runs a recipe leniently and traces it."""
    passing = None if result.holds else nearest_passing(result, rerun)
    return Explanation(
        story=story_of(result),
        passing=None if passing is None else story_of(passing),
        about=tuple(_about(result, has_none=passing is None and not result.holds)),
        is_failure=not result.holds,
    )


def _about(result: Result, *, has_none: bool) -> list[tuple[str, str]]:
    without = result.recording.without
    facts = [
        (
            "Steps",
            f"{result.steps:,} in {result.seconds:.6g} virtual seconds, {result.recording.deviations:,} out of turn",
        ),
        ("Clients", ", ".join(result.clients)),
        ("Clients left out", ", ".join(without)),
        ("Faults", ", ".join(f"{fault} after step {fault.step}" for fault in result.faults)),
        ("Ended by faults", ", ".join(f"{name} ({type(error).__name__}: {error})" for name, error in result.tolerated)),
        ("To compare", _NONE if has_none else ""),
        ("Token", result.token),
    ]
    return [(name, value) for name, value in facts if value]
