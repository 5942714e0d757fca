"""odradek demo: a crash in the middle of a rebalance, to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli import Outcome, here, refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for the files of the demonstration."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(folder: Path) -> Outcome:
    """Return what the demonstration printed."""
    outcome = here("demo", folder)
    assert outcome.code == 0, outcome
    return outcome


def test_the_demonstration_says_what_happened(shown: Outcome) -> None:
    assert (
        "Every order was billed, and order 3 twice: the crash came after the bill and before the commit." in shown.text
    )


def test_the_picture_marks_the_rebalance_and_the_crash(shown: Outcome, folder: Path) -> None:
    page = (folder / "rebalance.html").read_text()
    assert f"Open {folder}/rebalance.html" in shown.text
    assert "RebalanceBegun" in page
    assert "ann#2" in page


def test_every_command_that_it_names_works(shown: Outcome) -> None:
    commands = [line.split()[1:] for line in shown.lines if line.strip().startswith("odradek ")]
    assert {command[0] for command in commands} == {"state", "log", "diff"}
    for command in commands:
        assert here(*command).code == 0


def test_the_log_is_sound(shown: Outcome, folder: Path) -> None:
    assert here("verify", folder / "rebalance.db").code == 0


def test_a_log_that_exists_is_kept(shown: Outcome, folder: Path) -> None:
    before = (folder / "rebalance.db").read_bytes()
    refused(here("demo", folder), 2, "exists already")
    assert (folder / "rebalance.db").read_bytes() == before


def test_the_demonstration_is_always_the_same(shown: Outcome, folder: Path, tmp_path: Path) -> None:
    again = here("demo", tmp_path)
    assert again.text.replace(str(tmp_path), "") == shown.text.replace(str(folder), "")
    assert (tmp_path / "rebalance.html").read_text() == (folder / "rebalance.html").read_text()
