"""Of a long story a window is shown; what is left out, and when nothing happened, is said in words."""

from __future__ import annotations

import msgspec
import pytest
from support.stories import StoryBuilder

from odradek_pictures import Kind, Step, Story
from odradek_pictures.stories.lanes import order_lanes
from odradek_pictures.stories.window import choose_window, format_times, pick_rows


def story_of(
    times: list[float], *, failed: int | None = None, marked: int | None = None, struck: int | None = None
) -> Story:
    kinds = {failed: Kind.FAILED, struck: Kind.FAULT}
    steps = (
        Step(
            number=number,
            at=at,
            lane="a",
            kind=kinds.get(number, Kind.NOTE),
            label="x",
            mark="A" if number == marked else "",
        )
        for number, at in enumerate(times)
    )
    return Story(title="x", steps=tuple(steps))


TICKS = [tick / 1000 for tick in range(1000)]


@pytest.mark.parametrize(
    ("story", "most", "shown"),
    [
        (story_of(TICKS), 5, {995, 996, 997, 998, 999}),
        (story_of(TICKS, failed=500), 5, {496, 497, 498, 499, 500}),
        (story_of(TICKS, marked=100), 14, {97, 98, 99, 100, 101, 102, 103, *range(993, 1000)}),
        (story_of(TICKS, marked=100), 4, {99, 100, 998, 999}),
        (story_of(TICKS, struck=100), 14, {97, 98, 99, 100, 101, 102, 103, *range(993, 1000)}),
        (story_of(TICKS, marked=200, struck=100), 4, {100, 200, 998, 999}),
        (story_of(TICKS[:10], failed=3), 10, {*range(10)}),
        (story_of([]), 10, set()),
    ],
    ids=[
        "the end",
        "up to the failure",
        "around a mark",
        "a small window",
        "around a fault",
        "a mark and a fault",
        "all of a short story",
        "nothing",
    ],
)
def test_a_window_has_what_matters(story: Story, most: int, shown: set[int]) -> None:
    assert choose_window(story, most) == shown


def test_what_is_left_out_is_counted() -> None:
    picked = pick_rows(story_of(TICKS), {0, 1, 998})
    assert [str(row) for row in picked if not isinstance(row, Step)] == ["996 steps not shown", "1 step not shown"]


def test_a_time_without_steps_is_one_row() -> None:
    picked = pick_rows(story_of([0.0, 0.001, 0.002, 2.402, 2.403]), range(5))
    assert [row if isinstance(row, str) else str(row) for row in picked if not isinstance(row, Step)] == ["2.4 s later"]


def test_steps_at_one_time_have_no_idle_time() -> None:
    assert all(isinstance(row, Step) for row in pick_rows(story_of([0.5, 0.5, 0.5]), range(3)))


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([0.0, 1.2], ["0.000", "1.200"]),
        ([0.0013, 2.0], ["0.0013", "2.0000"]),
        ([0.1234567, 0.5], ["0.123457", "0.500000"]),
    ],
)
def test_times_have_the_decimals_they_need(times: list[float], shown: list[str]) -> None:
    assert [*format_times(story_of(times).steps).values()] == shown


def test_lanes_that_talk_are_beside_each_other() -> None:
    arrows = [("a", "hub"), ("b", "hub"), ("hub", "log"), ("hub", "log"), ("a", "hub")]
    order = order_lanes(["a", "b", "log", "hub"], arrows)
    places = {lane: place for place, lane in enumerate(order)}
    assert sum(abs(places[one] - places[other]) for one, other in arrows) == 6
    assert places["a"] < 2


@pytest.mark.parametrize("count", [0, 1, 2, 30, 300])
def test_every_lane_has_a_place_and_the_first_one_is_on_the_left(count: int) -> None:
    lanes = [f"lane {number}" for number in range(count)]
    order = order_lanes([*lanes, *lanes], [(lanes[0], lane) for lane in lanes])
    assert sorted(order) == sorted(lanes)
    assert not lanes or order.index(lanes[0]) <= count / 2


def test_marks_do_not_change_which_steps_a_short_story_shows() -> None:
    run = StoryBuilder()
    run.handle(run.send("a", "b", "x"))
    story = run.story()
    marked = msgspec.structs.replace(story, steps=tuple(msgspec.structs.replace(s, mark="A") for s in story.steps))
    assert choose_window(marked, 200) == choose_window(story, 200) == {0, 1}
