"""Studies: the same digits every time, in every order, in every process; rows, tables and reports."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.lab import Bumped, courses, enrolments

from odradek_boundaries import METRICS, Boundary, InvalidModel, LabError, NotAReport, Study, facts
from odradek_boundaries.metrics import gini, percentile
from odradek_boundaries.models import load_model
from odradek_boundaries.study import format_number

BOUNDARIES = [
    Boundary("one unit"),
    Boundary("course", by=("course", "student"), checks="unit"),
    Boundary("a query per decision", checks="facts"),
]
ENROLLING = enrolments(100, per_second=300)
_PROGRAM = """
import hashlib
from odradek_boundaries.models import load_model
model = load_model("kafka", {"count": 120})
study = model.lab.compare(model.boundaries, model.workload, seeds=2)
print(hashlib.sha256(study.to_json()).hexdigest())
"""


@pytest.fixture(scope="module")
def study() -> Study:
    return courses().compare(BOUNDARIES, ENROLLING, seeds=3)


def test_a_study_has_a_row_for_every_boundary_and_seed(study: Study) -> None:
    rows = study.rows()

    assert [(row["boundary"], row["seed"]) for row in rows] == [
        (boundary.name, seed) for boundary in BOUNDARIES for seed in (1, 2, 3)
    ]
    assert all(list(row)[2:] == [metric.name for metric in METRICS] for row in rows)


@pytest.mark.slow
def test_the_order_of_boundaries_and_processes_change_no_digit(study: Study) -> None:
    again = courses().compare(BOUNDARIES[::-1], ENROLLING, seeds=[3, 1, 2], jobs=2)

    def by_name(study: Study) -> dict[tuple[str, int], Any]:
        return {(each.boundary, each.seed): each for each in study.results}

    assert by_name(again) == by_name(study)


@pytest.mark.slow
def test_another_hash_seed_gives_equal_digits() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 2 * hashlib.sha256().digest_size


@pytest.mark.slow
def test_what_was_read_before_changes_no_digit(study: Study) -> None:
    for number in range(25_000):  # more read-sets than are kept
        facts(Bumped, unit=number)

    assert courses().compare(BOUNDARIES, ENROLLING, seeds=3) == study


def test_progress_counts_every_part() -> None:
    told: list[tuple[int, int]] = []
    courses().compare(BOUNDARIES[:1], enrolments(20), seeds=2, progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_best_and_worst_follow_the_mean_over_the_seeds(study: Study) -> None:
    best, worst = study.best("conflict_share")
    means = {name: study.spread(name, "conflict_share").mean for name in study.boundaries}

    assert worst == ("one unit",)
    assert means[best[0]] == min(value for value in means.values() if value is not None)
    assert study.best("ceiling")[1] == ("one unit",)
    assert study.best("unfoldable") == ((), ())
    spread = study.spread("one unit", "conflict_share")
    assert spread.low is not None
    assert spread.high is not None
    assert spread.mean is not None
    assert spread.low < spread.mean < spread.high
    assert study.spread("a query per decision", "wait_p50").mean is None


def test_a_notebook_shows_a_table_with_escaped_names() -> None:
    study = courses().compare([Boundary("<b>&"), Boundary("query", checks="facts")], enrolments(30))
    html = study._repr_html_()

    assert '<th scope="col">&lt;b&gt;&amp;</th>' in html
    assert html.count("<tr>") == len(METRICS) + 1
    assert re.search(r'class="good" title="scalability">[\d.]+ \*</td>', html)
    assert re.search(r'class="bad" title="scalability">1 !</td>', html)


def test_a_table_shows_the_range_of_the_seeds(study: Study) -> None:
    spread = study.spread("one unit", "folded")
    assert f'<div class="small">({spread.low:.4g} to {spread.high:.4g})</div>' in study.table()


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "-"), (0, "0"), (12.34567, "12.35"), (0.0012345, "0.001234"), (123456.7, "123,457")]
)
def test_numbers_have_four_digits_or_all_before_the_point(value: float | None, expected: str) -> None:
    assert format_number(value) == expected


def test_a_report_is_read_again(study: Study) -> None:
    assert Study.from_json(study.to_json()) == study


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"nonsense", "the file is not a report of the boundary lab"),
        (b"{}", "the file is not a report of the boundary lab"),
        (b'{"version": 99}', "the report has version 99, and this Odradek reads version 1; run the study again"),
        (b'{"version": 1, "boundaries": 3}', "the report is damaged"),
    ],
)
def test_a_file_that_is_no_report_of_this_version_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(NotAReport, match=words):
        Study.from_json(data)


def test_a_data_frame_says_what_it_needs_where_no_library_is_installed(study: Study, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(study.to_json())
    program = """
import sys
from odradek_boundaries import LabError, Study
sys.modules["pandas"] = sys.modules["polars"] = None
try:
    Study.from_json(open("report.json", "rb").read()).frame()
except LabError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().strip() == "a data frame needs pandas or polars; install one of them, or use rows()"


def test_a_study_of_nothing_is_refused() -> None:
    lab, workload = courses(), enrolments(10)

    with pytest.raises(InvalidModel, match="at least one boundary and one seed"):
        lab.compare([], workload)
    with pytest.raises(InvalidModel, match="at least one boundary and one seed"):
        lab.compare(BOUNDARIES, workload, seeds=0)
    with pytest.raises(InvalidModel, match="two boundaries have the same name among b, b; rename one"):
        lab.compare([Boundary("b"), Boundary("b", checks="facts")], workload)


def test_an_unknown_boundary_is_named_with_those_that_are_known(study: Study) -> None:
    with pytest.raises(LabError, match="no boundary 'topic'; use one of one unit, course, a query per decision"):
        study.of("topic")


def test_every_shipped_model_can_be_compared_with_one_seed() -> None:
    model = load_model("courses", {"count": 60})
    study = model.lab.compare(model.boundaries, model.workload)

    assert study.seeds == (1,)
    assert msgspec.json.decode(study.to_json())["version"] == 1


def test_every_metric_has_a_formula_and_says_what_it_tells() -> None:
    for metric in METRICS:
        assert metric.formula
        assert metric.tells
        assert metric.better in ("low", "high", None)


@pytest.mark.parametrize(
    ("values", "percent", "expected"), [([], 50, None), ([7], 1, 7), ([1, 2, 3, 4], 50, 2), ([1, 2, 3, 4], 99, 4)]
)
def test_percentiles_are_by_nearest_rank(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected


@pytest.mark.parametrize(("values", "expected"), [([], 0.0), ([0, 0], 0.0), ([5, 5, 5], 0.0), ([0, 0, 0, 8], 0.75)])
def test_gini_is_0_for_equal_loads(values: list[float], expected: float) -> None:
    assert gini(values) == pytest.approx(expected)
