"""Explanations: the nearest passing run, and the two messages whose order makes the difference."""

from __future__ import annotations

import re

import pytest
from support.lost_update import sell

from odradek import ActorSystem
from odradek.simulation import Result, World
from odradek_pictures import find_difference
from odradek_simulation.choices.streams import Recipe
from odradek_simulation.explaining import Explanation, explain, nearest_passing
from odradek_simulation.shrinking import shrink


def rerun(recipe: Recipe) -> Result:
    """Run a recipe again and record every step."""
    return World.of(recipe, trace=True).run(sell)


@pytest.fixture(scope="module")
def failed() -> Result:
    """Return a shrunk lost update, traced."""
    found = next(result for seed in range(100) if not (result := World(seed).run(sell)).holds)
    return rerun(shrink(found, rerun).result.recording)


@pytest.fixture(scope="module")
def explanation(failed: Result) -> Explanation:
    """Return its explanation."""
    return explain(failed, rerun)


def test_the_two_messages_whose_order_matters_are_named(explanation: Explanation) -> None:
    assert explanation.passing is not None
    difference = find_difference(explanation.story, explanation.passing)
    assert difference is not None
    assert difference.passing_b is not None
    assert (difference.lane, difference.a.label, difference.passing_b.label) == ("Stock", "read", "write")


def test_an_explanation_is_a_page_a_picture_and_a_table(failed: Result, explanation: Explanation) -> None:
    page, picture, lines = explanation.html(), explanation.svg(), explanation.lines()
    assert failed.token in page
    assert picture.startswith("<svg")
    assert lines[0] == "In Stock, A came before B. In the nearest passing run, B came before A."
    assert "a sale was lost" in page
    assert "a sale was lost" in "".join(lines)


def test_the_nearest_passing_run_needs_few_other_picks(failed: Result) -> None:
    passing = nearest_passing(failed, rerun)
    assert passing is not None
    assert passing.holds
    assert passing.recording.deviations - failed.recording.deviations <= 4
    assert passing.recording.without == failed.recording.without


def test_the_search_for_a_passing_run_ends(failed: Result) -> None:
    runs: list[Recipe] = []

    def fail_again(recipe: Recipe) -> Result:
        runs.append(recipe)
        return failed

    assert nearest_passing(failed, fail_again, max_steps=20 * failed.steps) is None
    assert len(runs) == 20


def test_it_is_said_that_no_passing_run_was_found() -> None:
    def fail(system: ActorSystem, world: World) -> None:
        raise ValueError("always")

    failed = World(trace=True).run(fail)
    explanation = explain(failed, lambda recipe: World.of(recipe, trace=True).run(fail))
    assert explanation.lines()[0] == "No run near this one was found that passes."
    assert "No run near this one was found that passes" in explanation.html()


def test_a_long_run_is_drawn_in_part_and_says_so() -> None:
    def start(system: ActorSystem, world: World) -> None:
        def wait() -> None:
            for _ in range(600):
                world.sleep(0.001)

        world.spawn(wait, name="waiting")

    explanation = explain(World(trace=True).run(start), rerun)
    assert re.search("Of 6.. steps, 200 are drawn: the last ones.", explanation.html())


def test_a_run_without_a_failure_is_explained_alone() -> None:
    passed = World(trace=True).run(lambda system, world: None)
    explanation = explain(passed, rerun)
    assert explanation.passing is None
    assert explanation.story.title == "A run that passed"
    assert passed.token in explanation.html()
