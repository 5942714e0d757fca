"""The determinism gate: a seed gives the same steps in every process, whatever the hash seed and the switcher.

Fresh processes with different hash seeds find what a second run in one process misses: the order of a set of strings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SEEDS = {"small": 12, "chaos": 6}


def printed(hash_seed: int, *arguments: str) -> str:
    """Run `support.worlds` in a fresh process and return what it prints."""
    command = [sys.executable, "-m", "support.worlds", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def first_difference(target: str, run: str) -> str:
    """Return the first step in which two processes differ."""
    seed, strategy = run.split()
    one = printed(1, "steps", "threads", target, seed, strategy).splitlines()
    other = printed(2, "steps", "greenlets", target, seed, strategy).splitlines()
    for first, second in zip(one, other, strict=False):
        if first != second:
            return f"run {run} differs first here:\n{first}\n{second}"
    return f"run {run} has {len(one)} steps in one process and {len(other)} in the other"


@pytest.mark.slow
@pytest.mark.parametrize("target", SEEDS)
def test_fresh_processes_with_other_hash_seeds_and_switchers_take_the_same_steps(target: str) -> None:
    one: dict[str, str] = json.loads(printed(1, "digests", "threads", target, "0", str(SEEDS[target])))
    other: dict[str, str] = json.loads(printed(2, "digests", "greenlets", target, "0", str(SEEDS[target])))
    assert len(one) == len(other) == SEEDS[target]
    differing = [run for run, digest in one.items() if other[run] != digest]
    assert not differing, first_difference(target, differing[0])
