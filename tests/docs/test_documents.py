"""The documents tell the truth: links lead somewhere, decisions are short, and nothing is promised for later."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:actors|domain|events|simulation|examples|docs|tests|benchmarks)/[\w./-]+)`")


def test_every_relative_link_leads_to_a_file() -> None:
    for document in DOCUMENTS:
        links = [link.partition("#")[0] for link in _LINK.findall(document.read_text()) if "://" not in link]
        assert [link for link in links if link and not (document.parent / link).exists()] == [], document


def test_every_path_in_code_marks_exists() -> None:
    for document in DOCUMENTS:
        paths = _PATH.findall(document.read_text())
        assert [path for path in paths if not (ROOT / path).exists()] == [], document


def test_no_document_promises_what_is_not_there() -> None:
    for document in DOCUMENTS:
        promises = re.findall(r"\b(?:TODO|FIXME|TBD|coming soon)\b", document.read_text(), re.IGNORECASE)
        assert promises == [], document


def test_a_decision_is_short_and_says_what_why_and_at_what_price() -> None:
    for decision in DECISIONS:
        text = decision.read_text()
        assert len(text.split()) <= 150, decision
        assert text.startswith(f"# {decision.name[:4]}: "), decision
        assert [mark for mark in ("**Decision.**", "**Why.**", "**Price.**") if mark not in text] == [], decision


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(decision.name[:4]) for decision in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_file_named_in_the_architecture_exists() -> None:
    sources = {
        path.name
        for floor in ("actors", "boundaries", "domain", "events", "simulation")
        for path in (ROOT / floor).rglob("*.py")
    }
    named = re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", (ROOT / "docs" / "ARCHITECTURE.md").read_text())
    examples = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert [file for file in named if file not in sources | examples] == []
    assert len(named) >= 10
