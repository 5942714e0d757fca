"""The page on simulation: its Python runs from top to bottom, its commands run, and its table names every fault."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import here

from odradek_simulation.faults import SMALL_CONSTANTS
from odradek_simulation.faults.injector import FAULTS

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
PAGE = (GALLERY.parent / "SIMULATION.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_python_runs_from_top_to_bottom(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text("\n".join(blocks("python")))
    command = [sys.executable, "-W", "error", page.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in "".join(blocks("sh")).splitlines():
        outcome = here(*command.split()[1:])
        assert (command, outcome.code, outcome.complaint) == (command, 0, "")


@pytest.mark.slow
def test_the_tutorial_runs_and_prints_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GALLERY)
    token = ""
    for command, shown in re.findall(
        r"^\$ odradek (.*)\n((?:(?!\$|```).*\n)*)", "".join(blocks("console")), re.MULTILINE
    ):
        printed = here(*command.replace("TOKEN", token).split()).text
        token = next(iter(re.findall(r"odradek1\.\S+", printed)), token)
        sentences = [line for line in shown.splitlines() if line.strip() and not re.search(r"\d{2,}|─| from ", line)]
        assert [line for line in sentences if line not in printed] == []


def test_the_table_names_every_fault() -> None:
    (table,) = re.findall(r"^\| Name \| What it does \|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    named = [name for row in table.splitlines() for name in re.findall(r"`([\w-]+)`", row.split("|")[1])]
    assert sorted(named) == sorted([*FAULTS, SMALL_CONSTANTS])
