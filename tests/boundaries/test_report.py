"""Reports: one page and its pictures, well-formed, self-contained, and the same bytes for the same study."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import bumps, counters, courses, enrolments

from odradek_boundaries import Boundary, Landed, Story, Study
from odradek_boundaries.report import Curves, Report, measure_curves, render_report
from odradek_boundaries.report.labels import spread_out
from odradek_boundaries.report.plots import thin
from odradek_boundaries.report.reading import (
    read_attempts,
    read_clients,
    read_conflicts,
    read_folds,
    read_loads,
    read_matrix,
    summary,
)
from odradek_boundaries.report.stories import to_swimlanes
from odradek_pictures.stories import Kind

HOSTILE = "<b>\x1b$x^2$ & \"'"
BOUNDARIES = [
    Boundary("one unit"),
    Boundary("student", by=("student", "course"), checks="unit"),
    Boundary(HOSTILE, checks="facts"),
]
ENROLLING = enrolments(150, courses=3, students=20, per_second=900)
PICTURES = ["conflicts", "attempts", "loads", "clients", "folds", "story-1"]
PROGRAM = """
import hashlib
from odradek.boundaries import load_model, measure_curves, render_report
model = load_model("usernames", {"count": 150})
study = model.lab.compare(model.boundaries, model.workload, seeds=2)
report = render_report("usernames", study, model.workload)
print(hashlib.sha256("".join([report.html, *report.pictures.values()]).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def study() -> Study:
    return courses(3, seats=10).compare(BOUNDARIES, ENROLLING, seeds=2)


@pytest.fixture(scope="module")
def curves() -> Curves:
    return measure_curves(courses(3, seats=10).rules, BOUNDARIES, ENROLLING)


@pytest.fixture(scope="module")
def report(study: Study, curves: Curves) -> Report:
    return render_report("courses", study, ENROLLING, curves)


def test_a_page_has_every_picture_with_its_reading(study: Study, curves: Curves, report: Report) -> None:
    assert list(report.pictures) == PICTURES
    document = ElementTree.fromstring(report.html.partition("\n")[2])
    text = "".join(document.itertext())
    findings = [read_conflicts(study), read_attempts(study), read_loads(curves), read_clients(study, curves)]
    for finding in (*findings, read_folds(study), read_matrix(study)):
        assert finding.text.replace("\x1b", "\\u001b") in text
    assert all(sentence.replace("\x1b", "\\u001b") in text for sentence in summary(study))
    assert "“student”: the first broken rule, nobody_stands" in text


def test_a_page_runs_nothing_loads_nothing_and_has_no_date(report: Report) -> None:
    assert not re.search(r"<script|<link|<iframe|src=|@import|<metadata|\bon\w+=", report.html)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', report.html))
    assert not re.search(r"\b20\d\d-\d\d-\d\d", report.html)
    assert len(report.html) < 200_000


def test_text_stays_text_and_is_never_markup(report: Report) -> None:
    for picture in report.pictures.values():
        drawn = ElementTree.fromstring(picture)
        words = [text for each in drawn.iter("{http://www.w3.org/2000/svg}text") if (text := each.text)]
        assert any("one unit" in text or "Enrol" in text for text in words)
        assert not list(drawn.iter("{http://www.w3.org/2000/svg}b"))
    assert "&lt;b&gt;\\u001b$x^2$ &amp;" in report.pictures["loads"]


def test_what_a_picture_refers_to_is_in_it_and_nowhere_else(report: Report) -> None:
    seen: set[str] = set()
    for name in PICTURES[:-1]:
        ids = re.findall(r' id="([^"]*)"', report.pictures[name])
        assert set(re.findall(r'(?:href="|url\()#([^")]*)', report.pictures[name])) <= set(ids)
        assert seen.isdisjoint(ids)
        seen.update(ids)


def test_pictures_follow_light_and_dark(report: Report) -> None:
    for picture in report.pictures.values():
        assert "@media (prefers-color-scheme:dark)" in picture
    plot = report.pictures["folds"]
    for use, colour in set(re.findall(r"(fill|stroke): (#[0-9a-f]{6})", plot.partition("</style>")[2])):
        assert f'[style*="{use}: {colour}"]' in plot


def test_the_same_study_gives_the_same_bytes(study: Study, curves: Curves, report: Report) -> None:
    assert render_report("courses", Study.from_json(study.to_json()), ENROLLING, curves) == report


@pytest.mark.slow
def test_the_same_study_gives_the_same_bytes_in_another_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_processes_share_the_runs_of_curves_without_changing_a_digit(curves: Curves) -> None:
    told: list[tuple[int, int]] = []
    again = measure_curves(
        courses(3, seats=10).rules, BOUNDARIES, ENROLLING, 2, lambda done, total: told.append((done, total))
    )

    assert again == curves
    runs = Curves.RUNS * len(BOUNDARIES)
    assert told == [(number, runs) for number in range(1, runs + 1)]


def test_one_unit_follows_the_law_of_load() -> None:
    boundary = Boundary("one unit")
    curves = measure_curves(counters().rules, [boundary], bumps(1, count=1000, per_second=100, service_ms=2))

    assert curves.loads[-2:] == (500.0, 1000.0)
    for load, share in zip(curves.loads, curves.conflict_shares["one unit"], strict=True):
        x = load * 2 / 1000
        assert share == pytest.approx(100 * x / (1 + x), abs=6)
    assert curves.throughputs["one unit"][0] == pytest.approx(500)


def test_recorded_commands_keep_their_order_at_every_load() -> None:
    recorded = tuple(
        (10.0 * number, command) for number, command in enumerate(bumps(3, count=60, per_second=1).plan(1).commands)
    )
    curves = measure_curves(counters().rules, [Boundary("one unit")], bumps(3, recorded=recorded))

    shares = curves.conflict_shares["one unit"]
    assert shares[0] == 0
    assert shares[-1] > 40


def test_titles_state_the_finding(study: Study, curves: Curves) -> None:
    assert read_matrix(study).title == "2 of 3 boundaries keep every decision"
    assert "“student” does not keep Enrol." in read_matrix(study).text
    assert re.fullmatch(
        r"“<b>.*”: [\d.]+% conflicts, the fewest with nothing stale or broken",
        read_conflicts(study).title,
    )
    assert re.fullmatch(
        r"“one unit” refuses [\d.]+% of its attempts, [\d.]+% of them for nothing", read_attempts(study).title
    )
    assert read_loads(curves).title.startswith("At 1,000 commands per second, ")
    assert read_clients(study, curves).title.startswith("With 16 clients, “student” appends ")
    assert re.match(r"“student” folds \d+ events per decision, [\d.]+ times as many as “", read_folds(study).title)


def test_a_study_in_which_nothing_happens_is_reported_as_that() -> None:
    quiet = bumps(1, count=20, per_second=1)
    study = counters().compare([Boundary("one unit"), Boundary("query", checks="facts")], quiet)
    report = render_report("counters", study, quiet)

    assert list(report.pictures) == ["conflicts", "attempts", "folds"]
    assert read_attempts(study).title == "No append was refused"
    assert read_matrix(study).title == "Every boundary keeps every decision"
    assert read_conflicts(study).title == "“one unit” and “query”: 0% conflicts, the fewest"
    assert summary(study)[0].startswith("Nothing went wrong: ")


def test_a_story_has_two_commands_and_the_fact_between_them() -> None:
    landed = Landed(2.0, "course:c1", "Enrolled(course='c1')", "Enrol(course='c1')")
    drawn = to_swimlanes(
        Story("nobody_stands", "course:c1", "Enrol(course='c2')", "student:s1", 1.0, 3.0, ("Enrolled()",), (landed,)),
        "title",
    )

    assert [(step.lane, step.kind, step.mark) for step in drawn.steps] == [
        ("command 1/Enrol", Kind.NOTE, ""),
        ("command 2/Enrol", Kind.SENT, ""),
        ("course/c1", Kind.HANDLED, "A"),
        ("command 1/Enrol", Kind.SENT, ""),
        ("student/s1", Kind.HANDLED, "B"),
        ("student/s1", Kind.FAILED, ""),
    ]
    assert drawn.steps[-1].label == "nobody_stands: broken for course:c1"


@given(st.lists(st.floats(0, 300), max_size=20), st.floats(1, 30))
def test_labels_are_moved_apart_and_stay_in_order(places: list[float], gap: float) -> None:
    moved = spread_out(sorted(places), gap, 0, 300)

    assert len(moved) == len(places)
    assert all(later - earlier >= gap - 1e-6 for earlier, later in pairwise(moved))
    if gap * len(places) <= 300:
        assert all(-1e-6 <= place <= 300 + 1e-6 for place in moved)


@given(st.integers(0, 3000))
def test_scatters_are_thinned_to_200_points(count: int) -> None:
    kept = thin(range(count))

    assert len(kept) <= 200
    assert count > 200 or kept == list(range(count))
