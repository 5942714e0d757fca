"""Fixtures that tests of every kind may use, Hypothesis profiles, and the line that says what a run left out."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

collect_ignore_glob = ["support/*.py"]  # imported by name: collected too, they would register their events twice

# A deadline per example would measure how busy the machine is. `--hypothesis-profile` chooses another profile.
settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("ci", max_examples=60, deadline=None, print_blob=True)
settings.load_profile("fast")

LEFT_OUT = pytest.StashKey[dict[str, int]]()
MARKS = ("square", "slow", "on_disk")


@pytest.fixture
def public_place() -> Iterator[Path]:
    """Return a new directory that every user can reach and write in; those of `tmp_path` belong to one user."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start one worker more than there are cores, since tests also wait, but not more than eight: each collects all."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores + 1, 8)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count what is left out; switch the garbage collector off until all tests are collected."""
    config.stash[LEFT_OUT] = {}
    gc.disable()


def pytest_collection_finish() -> None:
    """Switch the garbage collector on, and exclude the collected tests: walking them took 0.2 s each time."""
    gc.freeze()
    gc.enable()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count the tests that the choice of markers leaves out."""
    for item in items if not items[0].config.getoption("keyword") else ():
        left_out = item.config.stash[LEFT_OUT]
        for mark in [mark for mark in MARKS if item.get_closest_marker(mark)][:1]:
            left_out[mark] = left_out.get(mark, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the counts from a worker of pytest-xdist to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the counts of a worker; every worker collects, and so leaves out, the same tests."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, because xdist prints no count of deselected tests."""
    left_out = [f"{count} tests marked {mark}" for mark, count in sorted(config.stash[LEFT_OUT].items())]
    left_out += [f"the folder {folder}" for folder in config.getoption("ignore") or ()]
    if left_out:
        terminalreporter.section("left out")
        terminalreporter.line(f"{', '.join(left_out)}; `make test` runs everything")
