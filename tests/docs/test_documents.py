"""The documents tell the truth: links lead somewhere, decisions are short, and nothing is promised for later."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:actors|domain|events|simulation|examples|docs|tests|benchmarks)/[\w./-]+)`")


def name(path: Path) -> str:
    """Return how a document is called in a test's name."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = [link.partition("#")[0] for link in _LINK.findall(document.read_text()) if "://" not in link]
    assert [link for link in links if link and not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_path_in_code_marks_exists(document: Path) -> None:
    assert [path for path in _PATH.findall(document.read_text()) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_document_promises_what_is_not_there(document: Path) -> None:
    assert re.findall(r"\b(?:TODO|FIXME|TBD|coming soon)\b", document.read_text(), re.IGNORECASE) == []


@pytest.mark.parametrize("decision", DECISIONS, ids=name)
def test_a_decision_is_short_and_says_what_why_and_at_what_price(decision: Path) -> None:
    text = decision.read_text()
    assert len(text.split()) <= 150
    assert text.startswith(f"# {decision.name[:4]}: ")
    assert [mark for mark in ("**Decision.**", "**Why.**", "**Price.**") if mark not in text] == []


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
