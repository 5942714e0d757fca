"""The whole way on real input: a large text file produced, consumed by two groups, replayed to its middle, verified."""

from __future__ import annotations

import sysconfig
from collections import Counter
from pathlib import Path

from support.cli import here, odradek

LINES = 20_000


def real_lines() -> list[bytes]:
    """Return the first lines of the standard library's sources, in a fixed order."""
    lines: list[bytes] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        lines += path.read_bytes().split(b"\n")[:-1]
        if len(lines) >= LINES:
            return lines[:LINES]
    raise AssertionError(f"the standard library has only {len(lines)} lines here")


def test_many_real_lines_go_all_the_way(tmp_path: Path) -> None:
    log, lines = tmp_path / "sources.db", real_lines()
    produced = odradek("produce", log, "sources", "--partitions", 4, "--json", stdin=b"\n".join(lines) + b"\n")
    assert produced.code == 0, produced.complaint
    assert produced.json["stored"] == LINES
    middle = here("log", log, "--type", "MessageProduced", "--after", LINES // 2, "--limit", 1, "--json").json

    for group in ("one", "two"):
        consumed = odradek("consume", log, "sources", "--group", group)
        assert consumed.code == 0, consumed.complaint
        assert Counter(consumed.output.split(b"\n")[:-1]) == Counter(lines)
        assert here("consume", log, "sources", "--group", group).output == b""

    then = here("state", log, "--at", middle["position"], "--json").json
    assert sum(part["high_watermark"] for part in then["aggregates"]["topic/sources"]["partitions"]) < LINES
    assert then["lags"] == []
    now = here("state", log, "--json").json
    assert sum(part["high_watermark"] for part in now["aggregates"]["topic/sources"]["partitions"]) == LINES
    assert {lag["owner"] for lag in now["lags"]} == {"group/one", "group/two"}
    assert all(lag["lag"] == 0 for lag in now["lags"])
    assert now["digest"] == here("state", log, "--json").json["digest"] != then["digest"]
    assert here("verify", log).lines[-1] == "sound"
