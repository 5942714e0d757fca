"""The page about a story holds what failed, how to repeat it, what differs, the run, and every payload as text."""

from __future__ import annotations

from xml.etree import ElementTree

from support.stories import HOSTILE, StoryBuilder, stored_message, zombie_commit

from odradek_pictures import Kind, Story, code, render_story
from odradek_pictures.text import make_visible


def words(story: Story, passing: Story | None = None) -> str:
    """Return the text of the page about a story, without its style."""
    page = render_story(story, passing, about=[("seed", 20), ("repeat with", code("odradek simulate --seed 20"))])
    root = ElementTree.fromstring(page.partition("\n")[2])
    body = root.find("body")
    assert body is not None
    return "\n".join(body.itertext())


def test_the_page_says_what_failed_how_to_repeat_it_and_what_differs() -> None:
    text = words(zombie_commit(failing=True), zombie_commit(failing=False))
    told = [
        "Zombie commit",
        "✕ Check failed: a commit belongs to the current generation",
        "group/g: offset 3 of generation 1 in 2",
        "odradek simulate --seed 20",
        "The first difference",
        "In group/g, A came before B. In the nearest passing run, B came before A.",
        "Join from client b  member b",
        "Commit from client a  generation 1, offset 3",
        "The run",
        "The steps as a table",
    ]
    places = [text.index(each) for each in told]
    assert places == sorted(places)


def test_a_run_alone_has_no_difference() -> None:
    assert "The first difference" not in words(zombie_commit(failing=True))


def test_runs_in_the_same_order_are_said_to_be_so() -> None:
    text = words(zombie_commit(failing=False), zombie_commit(failing=False))
    assert "Every actor and client handled the same things in the same order as in the nearest passing run." in text


def test_the_background_is_on_the_page_but_not_in_the_first_picture() -> None:
    first, _, rest = words(stored_message()).partition("The run with its background")
    assert "Receipt" in first
    assert "Flush" not in first
    assert "Flush" in rest
    assert "The run with its background" not in words(zombie_commit(failing=True))


def test_payloads_can_be_searched_whatever_is_in_them() -> None:
    run = StoryBuilder()
    run.handle(run.send(HOSTILE, "topic/t", HOSTILE, HOSTILE))
    run.add(HOSTILE, Kind.FAILED, HOSTILE, HOSTILE)
    text = words(Story(title=HOSTILE, steps=tuple(run.steps)))
    assert text.count(make_visible(HOSTILE, keep="\n")) > 10


def test_an_enormous_payload_is_bounded() -> None:
    run = StoryBuilder()
    run.add("a", Kind.FAILED, "x" * 1_000_000, "y" * 1_000_000)
    page = render_story(Story(title="z" * 1_000_000, steps=tuple(run.steps)))
    assert len(page) < 50_000
    assert "… (996,000 more characters)" in page
