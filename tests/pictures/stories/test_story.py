"""A story that cannot be drawn is refused, with a sentence that says what to do."""

from __future__ import annotations

import pytest

from odradek_pictures import Kind, Step, Story


def step(
    number: int, at: float = 0.0, *, lane: str = "a", cause: int | None = None, peer: str = "", mark: str = ""
) -> Step:
    return Step(number=number, at=at, lane=lane, kind=Kind.HANDLED, label="x", cause=cause, peer=peer, mark=mark)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            [step(1), step(1)],
            "step 1 at 0.0 s follows step 1 at 0.0 s; pass the steps in the order in which they happened",
        ),
        ([step(1, 2.0), step(2, 1.0)], "step 2 at 1.0 s follows step 1 at 2.0 s; pass the steps in the order"),
        ([step(0, float("nan"))], "step 0 has the time nan; use a finite number of seconds"),
        ([step(0, float("inf"))], "step 0 has the time inf; use a finite number of seconds"),
        (
            [step(0, cause=0)],
            "step 0 has the cause 0, which is not an earlier step that sent a message; name the sender as its",
        ),
        ([step(0), step(1, cause=0)], "step 1 has the cause 0, which is not an earlier step that sent a message"),
        ([step(0, lane="")], "step 0 sends or handles a message without a lane; name its lane"),
        ([step(0, mark="Z")], "step 0 has the mark 'Z'; use A, B or C"),
    ],
)
def test_a_story_that_cannot_be_drawn_is_refused(steps: list[Step], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Story(title="x", steps=tuple(steps))


def test_a_step_is_found_by_its_number() -> None:
    story = Story(title="x", steps=(step(3), step(7, peer="b"), step(9)))
    assert story.step(7) is story.steps[1]
    for missing in (0, 4, 10):
        with pytest.raises(KeyError):
            story.step(missing)


def test_both_ends_of_an_arrow_know_each_other() -> None:
    sent = Step(number=0, at=0.0, lane="client", kind=Kind.SENT, label="x")
    story = Story(title="x", steps=(sent, step(1, cause=0), step(2, peer="other"), step(3)))
    assert story.other_ends() == {0: "a", 1: "client", 2: "other"}
    assert [story.sender(each) for each in story.steps] == ["", "client", "other", ""]
