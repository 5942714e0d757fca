"""What the README shows works: its Python blocks run, and its tour runs with the tour's own file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
TOUR = re.findall(r"^<!-- tour.*?-->\n```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=lambda block: str(block).splitlines()[0])
def test_a_python_block_runs_and_runs_again(block: str, tmp_path: Path) -> None:
    sent = ["b'1 tea'", "b'2 teas'", "b'1 cake'"]
    for run, said in enumerate(("messages then: 1 now: 3", "messages then: 4 now: 6"), 1):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert said in done.stdout
        assert re.findall(r"topic/orders \d+ (b'.*')", done.stdout) == sent * run


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Run the tour's commands one after another; return its directory and what each command printed."""
    (commands,) = TOUR
    place = tmp_path_factory.mktemp("tour")
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "error"}
    printed = {}
    for command in commands.strip().splitlines():
        done = subprocess.run(
            ["sh", "-c", command], cwd=place, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, (command, done.stderr)
        assert "Traceback" not in done.stderr
        printed[command] = done.stdout
    return place, printed


def test_the_tour_reads_what_it_wrote(tour: tuple[Path, dict[str, str]]) -> None:
    place, _ = tour
    written = (place / "lines.txt").read_bytes().splitlines(keepends=True)
    assert len(written) > 100_000
    assert sorted((place / "read.txt").read_bytes().splitlines()) == sorted(line.rstrip(b"\n") for line in written)


def test_the_tour_travels_and_verifies(tour: tuple[Path, dict[str, str]]) -> None:
    place, printed = tour
    count = (place / "lines.txt").read_bytes().count(b"\n")
    assert "Position 50000," in printed["odradek state tour.db --at 50000"]
    assert f"{count:,}" not in printed["odradek state tour.db --at 50000"]
    assert f"{count:,}" in printed["odradek state tour.db"]
    assert "group/readers" in printed["odradek diff tour.db 50000 head"]
    assert printed["odradek verify tour.db"].endswith("\nsound\n")
    assert len((place / "some.txt").read_bytes().splitlines()) == 1000


def test_every_command_named_in_the_readme_exists() -> None:
    done = subprocess.run([sys.executable, "-m", "odradek", "--help"], capture_output=True, text=True, timeout=60)
    offered = re.findall(r"^  ([a-z]+) ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert set(re.findall(r"^odradek ([a-z]+)", README, re.MULTILINE)) <= set(offered)


def test_the_readme_has_python_and_a_short_tour() -> None:
    assert len(PYTHON_BLOCKS) == 1
    assert len(TOUR) == 1
    assert len(TOUR[0].strip().splitlines()) <= 9
