"""The table of steps fits the terminal, and names the two things whose order matters."""

from __future__ import annotations

import pytest
from support.stories import HOSTILE, StoryBuilder, stored_message, zombie_commit

from odradek_pictures import Kind, format_steps
from odradek_pictures.text import count_cells, make_visible


def test_a_failure_beside_a_passing_run_is_a_table_with_marks() -> None:
    assert format_steps(zombie_commit(failing=True), zombie_commit(failing=False), width=80) == [
        "In group/g, A came before B. In the nearest passing run, B came before A.",
        "A  Join from client b  member b",
        "B  Commit from client a  generation 1, offset 3",
        "",
        "   step  seconds  where     what",
        "!     0    0.000  client a  fault   pause",
        "                  ... 1 s later",
        "      1    1.001  group/g   timer   session time-out  member a",
        "      2    1.002  client b  resumes start",
        "A     3    1.003  client b  sends   Join to group/g  member b",
        "      4    1.004  client a  resumes poll",
        "B     5    1.005  client a  sends   Commit to group/g  generation 1, offset 3",
        "A     6    1.006  group/g   handles Join from client b  member b",
        "B     7    1.007  group/g   handles Commit from client a  generation 1, offset 3",
        "X     8    1.008  group/g   FAILED: a commit belongs to the current generation",
        "                            offset 3 of generation 1 in 2",
    ]


def test_a_long_story_is_shown_up_to_its_failure() -> None:
    run = StoryBuilder()
    for _ in range(1000):
        run.add("a", Kind.NOTE, "works")
    assert format_steps(run.story(), most_steps=2)[1:] == [
        "                  ... 998 steps not shown",
        "    998    0.998  a      does    works",
        "    999    0.999  a      does    works",
    ]


def test_the_background_is_left_out_and_said_so() -> None:
    lines = format_steps(stored_message())
    assert [line.split()[0] for line in lines[1:-1]] == ["2", "3", "8", "9"]
    assert lines[-1].strip() == "6 steps in the background not shown: journal"


@pytest.mark.parametrize("width", [10, 60, 97, 200])
def test_columns_are_aligned_whatever_the_width_of_characters(width: int) -> None:
    run = StoryBuilder()
    for lane in ("漢字", HOSTILE, "topic/orders", "e\u0301"):
        run.handle(run.send(lane, "topic/漢字", HOSTILE, "漢字" * 100))
        run.add(lane, Kind.FAILED, "漢字" * 50, HOSTILE)
    run.add("", Kind.FAULT, "crash")
    lines = format_steps(run.story(), width=width)
    starts = {
        count_cells(line[: line.index(verb)])
        for line in lines
        for verb in (" sends ", " handles ", " FAILED")
        if verb in line
    }
    assert len(starts) == 1
    assert max(map(count_cells, lines)) <= max(60, width)
    assert [line for line in lines if make_visible(line) != line] == []
