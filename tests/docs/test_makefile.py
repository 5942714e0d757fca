"""`make help` lists every target that people call, with a line on each."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split()
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    listed = [re.fullmatch(r"make (\w+) +\S.*", line) for line in done.stdout.splitlines()]
    assert [found[1] for found in listed if found] == targets
    assert len(targets) > 5
