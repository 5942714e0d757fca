"""What a failing run did differently from a passing one: the two things whose order matters.

Two runs of the same program first differ where the scheduler picked another step, but most picks change nothing. Since
lanes share nothing, only the order in which each lane handles what reaches it matters (Lamport's happened-before). The
first lane with another order is the difference; all later ones may follow from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

import msgspec

from odradek_pictures.stories.story import Kind, Step, Story
from odradek_pictures.text import limit

__all__ = ["Comparison", "Difference", "compare", "describe_difference", "find_difference"]

_LONGEST_DETAIL = 1000


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where a lane did one thing in the failing run and another in the passing run.

    A is what the failing run did there, B what the passing run did. `a` and `b` are the steps of the failing run,
    `passing_a` and `passing_b` those of the passing one; None is a step that did not happen in that run.
    """

    lane: str
    a: Step
    b: Step | None
    passing_a: Step | None
    passing_b: Step | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A run, perhaps a passing run, and their first difference, of which A and B are marked in both."""

    story: Story
    passing: Story | None = None
    difference: Difference | None = None

    def letters(self) -> list[tuple[str, str]]:
        """Return A and B with what they stand for: none without a difference, A alone if B does not exist."""
        found, passing = self.difference, self.passing
        if found is None or passing is None:
            return []
        letters = [("A", _in_words(self.story, found.a))]
        return letters if found.passing_b is None else [*letters, ("B", _in_words(passing, found.passing_b))]


def compare(story: Story, passing: Story | None) -> Comparison:
    """Compare a run with a passing run of the same program, if there is one."""
    found = find_difference(story, passing) if passing else None
    if passing is None or found is None:
        return Comparison(story=story, passing=passing)
    return Comparison(
        story=_marked(story, found.a, found.b),
        passing=_marked(passing, found.passing_a, found.passing_b),
        difference=found,
    )


def find_difference(failing: Story, passing: Story) -> Difference | None:
    """Return the first difference in what the lanes handled, or None.

    The background counts only if nothing else differs: everyone talks to a journal, in an order that rarely matters.
    Payloads count only if nothing else differs: many hold a time, which differs with every schedule.
    """
    background = {*failing.background}
    for exact in False, True:
        for ignored in background, set[str]():
            if found := _first(failing, passing, ignored, exact):
                return found
    return None


def describe_difference(difference: Difference) -> str:
    """Return the difference in plain words, in which A and B stand for the two steps."""
    where = difference.lane or "the whole system"
    if difference.passing_b is None:
        return f"In {where}, A happened; in the nearest passing run it did not."
    here = "A came before B" if difference.b else "A came, and B had not come when the check failed"
    there = "B came before A" if difference.passing_a else "B came, and A never did"
    return f"In {where}, {here}. In the nearest passing run, {there}."


def _first(failing: Story, passing: Story, ignored: Collection[str], exact: bool) -> Difference | None:
    there = defaultdict[str, list[Step]](list)
    for step in _received(passing, ignored):
        there[step.lane].append(step)
    done = defaultdict[str, int](int)
    for a in _received(failing, ignored):
        place = done[a.lane]
        done[a.lane] += 1
        if place == len(there[a.lane]):
            return Difference(lane=a.lane, a=a, b=None, passing_a=None, passing_b=None)
        b = there[a.lane][place]
        if _identity(failing, a, exact) != _identity(passing, b, exact):
            return Difference(
                lane=a.lane,
                a=a,
                b=_twin(passing, b, failing, after=a),
                passing_a=_twin(failing, a, passing, after=b),
                passing_b=b,
            )
    return None


def _received(story: Story, ignored: Collection[str]) -> Iterator[Step]:
    """Yield what reached lanes, except those ignored and what they sent. That a client continued is not a message."""
    for step in story.steps:
        is_received = step.kind not in (Kind.SENT, Kind.RESUMED, Kind.FAILED)
        if is_received and step.lane not in ignored and story.sender(step) not in ignored:
            yield step


def _identity(story: Story, step: Step, exact: bool) -> tuple[Kind, str, str, str]:
    return step.kind, step.label, story.sender(step), step.detail if exact else ""


def _twin(story: Story, step: Step, other: Story, *, after: Step) -> Step | None:
    """Return the same step in the other story, after a step there; one with the same payload if there are several."""
    alike = [
        each
        for each in _received(other, ())
        if each.number > after.number
        and each.lane == step.lane
        and _identity(other, each, False) == _identity(story, step, False)
    ]
    return next((each for each in alike if each.detail == step.detail), alike[0] if alike else None)


def _marked(story: Story, a: Step | None, b: Step | None) -> Story:
    """Mark A and B, and the steps that sent them."""
    letters = {
        number: letter
        for letter, step in (("B", b), ("A", a))
        if step
        for number in (step.number, step.cause)
        if number is not None
    }
    steps = tuple(
        msgspec.structs.replace(step, mark=letters[step.number]) if step.number in letters else step
        for step in story.steps
    )
    return msgspec.structs.replace(story, steps=steps)


def _in_words(story: Story, step: Step) -> str:
    kind = f"the {step.kind.value} " if step.kind in (Kind.TIMER, Kind.FAULT) else ""
    sender = story.sender(step)
    return f"{kind}{step.label}{f' from {sender}' if sender else ''}  {limit(step.detail, _LONGEST_DETAIL)}".rstrip()
