"""docs/BOUNDARIES.md lists every metric as it is computed, and the workloads of the documents can be run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from odradek.boundaries import METRICS, Workload, load_model, render_report

STUDIES = Path(__file__).parents[2] / "docs" / "studies"
TEXT = (Path(__file__).parents[2] / "docs" / "BOUNDARIES.md").read_text(encoding="utf-8")


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \| (.+) \|$", TEXT.partition("## Metrics")[2], re.MULTILINE)

    assert rows == [(metric.name, metric.unit or "-", metric.formula, metric.tells) for metric in METRICS]


def test_the_workload_of_the_document_fits_kafkas_model() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    workload = Workload.from_toml(text, load_model("kafka", {"topics": 8, "skew": 1.1}).lab.rules.draws)

    assert (workload.count, workload.tries, len(workload.mix)) == (10_000, 20, 2)


def test_the_story_of_the_study_of_topics_and_partitions_is_told_by_its_workload() -> None:
    text = (STUDIES / "quota.toml").read_text(encoding="utf-8")
    model = load_model("kafka", tomllib.loads(text)["model"])
    name = "topic, one per transaction"
    boundaries = [boundary for boundary in model.boundaries if boundary.name == name]
    study = model.lab.compare(boundaries, Workload.from_toml(text, model.lab.rules.draws))

    picture = render_report("kafka", study, model.workload).pictures["story-1"]
    assert picture == (STUDIES / "quota.svg").read_text(encoding="utf-8")
