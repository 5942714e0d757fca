"""A swimlane picture shows every step once, without overlaps, and names the two things whose order matters."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.profiles import fewer
from support.stories import HOSTILE, StoryBuilder, acknowledged_too_soon, stored_message, zombie_commit

from odradek_pictures import Kind, Step, Story, Swimlanes, draw_swimlanes, format_steps, render_story, svg_file

SVG = "{http://www.w3.org/2000/svg}"
GOLDEN = Path(__file__).with_name("zombie_commit.svg")


def parse(story: Story, passing: Story | None = None, most_steps: int = 200) -> ElementTree.Element:
    return ElementTree.fromstring(svg_file(draw_swimlanes(story, passing, most_steps=most_steps)))


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def titles(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}title")][1:]


def count(root: ElementTree.Element, tag: str, class_: str) -> int:
    return sum(class_ in each.get("class", "").split() for each in root.iter(SVG + tag))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    run = StoryBuilder()
    lanes = st.sampled_from(
        ["client a", "topic/orders", "journal", "漢字/漢字漢字", "a lane with a very long name indeed", "x"]
    )
    names = st.sampled_from(["Append", "GroupOffsetsCommitted and more", "漢字", HOSTILE])
    waiting: list[int] = []
    for _ in range(draw(st.integers(0, 25))):
        match draw(st.sampled_from(["send", "handle", "handle", "other", "everywhere", "pause"])):
            case "send":
                waiting.append(run.send(draw(lanes), draw(lanes), draw(names), draw(names)))
            case "handle" if waiting:
                run.handle(draw(st.sampled_from(waiting)))
            case "everywhere":
                run.add("", draw(st.sampled_from([Kind.FAULT, Kind.FAILED])), draw(names), draw(names))
            case "pause":
                run.add(draw(lanes), Kind.FAULT, draw(names), until=len(run.steps) + draw(st.integers(1, 5)))
            case _:
                kind = draw(st.sampled_from([Kind.TIMER, Kind.RESUMED, Kind.NOTE, Kind.FAILED]))
                run.add(draw(lanes), kind, draw(names), draw(names), peer=draw(lanes) if kind is Kind.NOTE else "")
        run.at += draw(st.sampled_from([0.0, 0.0, 3.5]))
    return run.story(draw(names))


@fewer(2)  # draws five documents
@given(stories(), stories() | st.none(), st.integers(1, 30))
def test_any_story_is_well_formed_everywhere(story: Story, passing: Story | None, most_steps: int) -> None:
    root = parse(story, passing, most_steps)
    assert count(root, "g", "o-step") >= min(most_steps, len(story.steps))
    document = render_story(story, passing, most_steps=most_steps)
    ElementTree.fromstring(document.partition("\n")[2])
    assert "<script" not in document
    format_steps(story, passing, most_steps=most_steps)


@fewer(2)
@given(stories())
def test_labels_overlap_neither_each_other_nor_another_lane(story: Story) -> None:
    root = parse(story)
    numbers = [{name: float(each.get(name, 0)) for name in ("x", "y", "width", "height")} for each in under(root)]
    for one, other in combinations(numbers, 2):
        apart = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert apart or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    lines = {float(each.get("x1", 0)) for each in root.iter(f"{SVG}line") if each.get("class") == "o-life"}
    for label in numbers:
        if label["x"] > 4:  # at the left edge there are words on what is left out, which may run across lanes
            assert not [x for x in lines if label["x"] < x < label["x"] + label["width"]]


def under(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [each for each in root.iter(f"{SVG}rect") if each.get("class") == "o-under"]


def test_the_picture_names_the_two_messages_whose_order_matters() -> None:
    root = parse(zombie_commit(failing=True), zombie_commit(failing=False))
    shown = texts(root)
    assert "In group/g, A came before B. In the nearest passing run, B came before A." in shown
    assert shown.index("Join from client b  member b") < shown.index("Commit from client a  generation 1, offset 3")
    assert "First difference: in the nearest passing run, B comes to group/g here." in shown
    assert {"This run", "the check fails", "Nearest passing run", "the check passes"} <= {*shown}
    assert count(root, "path", "o-a") == count(root, "path", "o-b") == 3  # one arrow in each of the three drawings


def test_a_fault_that_the_passing_run_lacks_is_shown_beside_what_happened_there() -> None:
    root = parse(acknowledged_too_soon(failing=True), acknowledged_too_soon(failing=False))
    assert "First difference: in the nearest passing run, A does not happen." in texts(root)
    assert count(root, "line", "o-fault") == 2
    assert texts(root).count("Store") == 3  # sent in this run; sent and handled in the excerpt of the passing one


def test_the_failed_check_comes_last_and_in_full() -> None:
    shown = texts(parse(zombie_commit(failing=True)))
    at = shown.index("a commit belongs to the current generation")
    assert shown[at + 1] == "offset 3 of generation 1 in 2"
    assert shown[-2:] == shown[at : at + 2]


def test_a_payload_is_cut_in_the_label_and_shown_in_full_on_hover() -> None:
    run = StoryBuilder()
    run.handle(run.send("a", "b", "Append", "x" * 500))
    root = parse(run.story())
    assert "x" * 23 + "…" in texts(root)
    assert sum(title.endswith("\n" + "x" * 500) for title in titles(root)) == 2
    assert "Append\nfrom a to b" in titles(root)


def test_a_payload_on_hover_is_bounded() -> None:
    run = StoryBuilder()
    run.add("a", Kind.NOTE, "Append", "x" * 1_000_000)
    assert len(svg_file(draw_swimlanes(run.story()))) < 20_000
    assert "… (998,000 more characters)" in titles(parse(run.story()))[1]


def test_a_message_that_nobody_handled_ends_openly() -> None:
    run = StoryBuilder()
    run.send("a", "b", "Append")
    root = parse(run.story())
    assert "Append\nto b, and not handled in the steps shown" in titles(root)
    assert count(root, "line", "o-dashed") == 1


def test_a_message_sent_in_a_step_that_is_not_shown_arrives_all_the_same() -> None:
    run = StoryBuilder()
    sent = run.send("a", "b", "Append")
    for _ in range(10):
        run.add("a", Kind.NOTE, "works")
    run.handle(sent)
    root = parse(run.story(), most_steps=5)
    assert "Append\nfrom a, sent in a step that is not shown" in titles(root)
    assert "7 steps not shown" in texts(root)


def test_a_sender_without_a_step_of_its_own_has_a_level_arrow() -> None:
    steps = (Step(number=0, at=0.0, lane="log", kind=Kind.HANDLED, label="SeatTaken", peer="enrol ann", mark="C"),)
    root = parse(Story(title="x", steps=steps, lanes=("log", "enrol ann")))
    (arrow,) = (each.get("d", "") for each in root.iter(f"{SVG}path") if each.get("class") == "o-arrow o-c")
    start, end = (point.split() for point in arrow[1:].split("L"))
    assert start[1] == end[1]
    assert float(start[0]) > float(end[0])


def test_a_pause_lasts_to_the_step_that_ends_it() -> None:
    root = parse(zombie_commit(failing=True))
    (pause,) = (each for each in root.iter(f"{SVG}line") if each.get("class") == "o-down")
    assert float(pause.get("y2", 0)) > float(pause.get("y1", 0)) + 50


def test_lanes_given_keep_their_order() -> None:
    run = StoryBuilder()
    run.handle(run.send("a", "b", "x"))
    story = Story(title="x", steps=tuple(run.steps), lanes=("z", "b", "a"))
    assert [text for text in texts(parse(story)) if text in "abz"] == ["b", "a"]


@pytest.mark.slow
def test_of_a_hundred_thousand_steps_a_window_is_drawn_and_said_so() -> None:
    run = StoryBuilder()
    for number in range(0, 100_000, 2):
        run.handle(run.send(f"client {number % 7}", "topic/t", "Append", f"message {number}"))
    run.add("topic/t", Kind.FAILED, "offsets are dense")
    text = svg_file(draw_swimlanes(run.story()))
    assert "Of 100,001 steps, 200 are drawn: the last ones." in text
    assert "99,801 steps not shown" in text
    assert len(text) < 300_000


def test_a_picture_says_in_words_what_it_shows() -> None:
    picture = Swimlanes(zombie_commit(failing=True), zombie_commit(failing=False))
    description = ElementTree.fromstring(svg_file(picture.whole())).find(f"{SVG}desc")
    assert description is not None
    assert (
        description.text
        == picture.description()
        == (
            "All 9 steps are drawn. Time runs down, and each column is one participant. An arrow leads from the step "
            "that sent a message to the step that handled it. Lanes: client a, group/g, client b. "
            "Check failed: a commit belongs to the current generation. "
            "In group/g, A came before B. In the nearest passing run, B came before A. "
            "A: Join from client b  member b. B: Commit from client a  generation 1, offset 3."
        )
    )


def test_the_background_is_drawn_on_request() -> None:
    story = stored_message()
    assert "6 more belong to the background: journal, and messages from and to them." in Swimlanes(story).caption()
    assert "journal" not in texts(ElementTree.fromstring(svg_file(Swimlanes(story).whole())))
    everything = Swimlanes(story, background=True)
    assert everything.caption().startswith("All 10 steps are drawn.")
    assert "journal" in texts(ElementTree.fromstring(svg_file(everything.whole())))


def test_a_step_may_be_shown_by_another_name_than_its_number() -> None:
    run = StoryBuilder()
    run.handle(run.send("a", "b", "Append"))
    story = Story(title="x", steps=tuple(msgspec.structs.replace(step, name=f"7.{step.number}") for step in run.steps))
    root = parse(story)
    assert {"7.0", "7.1"} <= {*texts(root)}
    assert "step 7.1 at 0.001 s\nb handles Append\nfrom a in step 7.0" in titles(root)
    assert format_steps(story)[2].split()[0] == "7.1"


def test_a_story_without_steps_is_a_picture_without_steps() -> None:
    assert texts(parse(Story(title="Nothing", steps=())))[0] == "Nothing"
    assert [line.split() for line in format_steps(Story(title="Nothing", steps=()))] == [
        ["step", "seconds", "where", "what"]
    ]


def test_a_passing_run_without_steps_is_drawn_as_such() -> None:
    shown = texts(parse(zombie_commit(failing=True), Story(title="Nothing", steps=())))
    assert "In client a, A happened; in the nearest passing run it did not." in shown


def test_every_hash_seed_gives_the_same_bytes() -> None:
    program = (
        "from support.stories import zombie_commit as run\n"
        "from odradek_pictures import draw_swimlanes, format_steps, render_story, svg_file\n"
        "pair = run(failing=True), run(failing=False)\n"
        "print(svg_file(draw_swimlanes(*pair)), render_story(*pair), format_steps(*pair))"
    )
    path = ":".join(path for path in sys.path if path)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(outputs) == 1


def test_a_picture_changes_only_on_purpose(tmp_path: Path) -> None:
    """After a change on purpose: look at the picture that the message names, then copy it over the golden one."""
    text = svg_file(draw_swimlanes(zombie_commit(failing=True), zombie_commit(failing=False)))
    now = tmp_path / GOLDEN.name
    now.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), f"look at {now}"
