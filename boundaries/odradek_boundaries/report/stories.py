"""What went wrong under a boundary, as a story for swimlanes: a command, its read and its append, the facts between."""

from __future__ import annotations

from odradek_boundaries.run import Landed, Story
from odradek_pictures import stories
from odradek_pictures.stories import Kind, Step

__all__ = ["to_swimlanes"]

_MOST_BETWEEN = 6


def to_swimlanes(story: Story, title: str) -> stories.Story:
    """Return a story with a lane for each command, and one for each unit that facts were appended to."""
    commands = dict.fromkeys((story.command, *(each.command for each in _shown(story))))
    lanes = {command: f"command {place}/{_name_of(command)}" for place, command in enumerate(commands, 1)}
    drawn = _Drawn()
    lane, unit = lanes[story.command], _unit_lane(story.unit)
    drawn.add(story.read_at_ms, lane, Kind.NOTE, "reads, and decides", story.command)
    for landed in sorted(_shown(story), key=lambda each: each.at_ms):
        drawn.append(landed.at_ms, lanes[landed.command], _unit_lane(landed.unit), landed.fact, landed.command, "A")
    if left_out := len(story.between) - len(_shown(story)):
        drawn.add(story.appended_at_ms, lane, Kind.NOTE, f"{left_out} more such facts", "not shown")
    facts = ", ".join(story.appended)
    drawn.append(story.appended_at_ms, lane, unit, facts, story.command, "B")
    wrong = f"{story.what}: broken for {story.group}" if story.group else "stale: the decision would differ now"
    drawn.add(story.appended_at_ms, unit, Kind.FAILED, wrong, "B was decided without A, and nothing refused it.")
    return stories.Story(title=title, steps=tuple(drawn.steps), lanes=(lane, unit))


class _Drawn:
    """The steps so far, with their numbers."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def add(self, at_ms: float, lane: str, kind: Kind, label: str, detail: str, mark: str = "") -> None:
        number, cause = len(self.steps) + 1, None
        if kind is Kind.HANDLED:
            cause = number - 1
        self.steps.append(
            Step(
                number=number, at=at_ms / 1000, lane=lane, kind=kind, label=label, detail=detail, cause=cause, mark=mark
            )
        )

    def append(self, at_ms: float, lane: str, unit: str, fact: str, command: str, mark: str) -> None:
        self.add(at_ms, lane, Kind.SENT, "appends", command)
        self.add(at_ms, unit, Kind.HANDLED, _name_of(fact), fact, mark)


def _shown(story: Story) -> tuple[Landed, ...]:
    return story.between[-_MOST_BETWEEN:]


def _name_of(text: str) -> str:
    return text.partition("(")[0]


def _unit_lane(unit: str) -> str:
    return unit.replace(":", "/", 1)
