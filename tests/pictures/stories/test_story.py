"""A story that cannot be drawn is refused, with a sentence that says what to do."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import StoryBuilder, stored_message, zombie_commit

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
            "step 0 has the cause 0, which is not an earlier step of a lane; name the sender as its peer instead",
        ),
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


def test_a_step_may_lead_to_another_without_a_message() -> None:
    story = Story(title="x", steps=(step(0, lane="directory", peer="client"), step(1, cause=0)))
    assert story.other_ends() == {0: "client", 1: "directory"}


def test_the_foreground_is_what_participants_say_to_each_other() -> None:
    story = stored_message(fault="append fails")
    assert [(step.lane, step.kind, step.label) for step in story.foreground().steps] == [
        ("client a", Kind.SENT, "Append"),
        ("topic/t", Kind.HANDLED, "Append"),
        ("journal", Kind.FAULT, "append fails"),
        ("topic/t", Kind.SENT, "Receipt"),
        ("client a", Kind.HANDLED, "Receipt"),
    ]


def test_a_step_of_the_foreground_remembers_who_led_to_it() -> None:
    run = StoryBuilder()
    found = run.send("directory", "topic/t", "Found")
    handled = run.handle(found)
    run.add("client a", Kind.NOTE, "starts", cause=handled)
    story = msgspec.structs.replace(run.story(), background=("directory",))
    (left,) = story.foreground().steps
    assert (left.label, left.cause, left.peer) == ("starts", None, "topic/t")


def test_a_story_without_background_is_all_foreground() -> None:
    story = zombie_commit(failing=True)
    assert story.foreground() == story
