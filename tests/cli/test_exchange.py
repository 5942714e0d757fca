"""`odradek export` and `import`: there and back, through files and pipes, and what is refused."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet
import pytest
from support.cli import COMMAND, here, odradek, produced, refused, running, wait_for

from odradek import SystemState, open_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three messages, one of them no text."""
    return produced(tmp_path / "orders.db", "orders", "1 tea\n2 cäkes\n".encode() + b"\xff\x00\n")


def digest(log: Path) -> str:
    with open_log(log, read_only=True) as opened:
        return SystemState.replay(opened).digest()


def noted(log: Path) -> str:
    return str(here("verify", log, "--json").json["position_and_digest"])


def test_a_log_goes_out_and_comes_in_the_same(log: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "orders.jsonl", tmp_path / "new.db"
    outcome = here("export", log, out)
    assert (outcome.code, outcome.complaint) == (0, "")
    assert outcome.lines[-1].endswith(f"to {out}: head {noted(log)}")
    outcome = here("import", out, new)
    assert (outcome.code, outcome.complaint) == (0, "")
    assert outcome.lines[-1].endswith(f"to {new}: head {noted(log)}")
    assert here("verify", new, "--head", noted(log)).code == 0
    assert digest(new) == digest(log)
    assert not list(tmp_path.glob("*.partial"))


def test_it_goes_through_pipes(log: Path, tmp_path: Path) -> None:
    outcome = odradek("export", log)
    assert outcome.code == 0
    assert noted(log) in outcome.complaint
    assert json.loads(outcome.lines[0])["head"] == noted(log)
    back = odradek("import", "-", tmp_path / "new.db", "--json", stdin=outcome.output)
    assert back.code == 0
    assert back.json["events"] == back.json["head"] + 1
    assert f"{back.json['head']}:{back.json['digest']}" == noted(log)
    parquet = odradek("export", log, "-", "--format", "parquet")
    assert pyarrow.parquet.read_table(io.BytesIO(parquet.output)).num_rows == back.json["events"]


def test_parquet_is_what_its_name_says(log: Path, tmp_path: Path) -> None:
    outcome = here("export", log, tmp_path / "x.parquet", "--json")
    assert outcome.code == 0
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    values = [row["value"] for row in table.to_pylist() if row["type"] == "MessageProduced"]
    assert values == [b"1 tea", "2 cäkes".encode(), b"\xff\x00"]
    assert outcome.json == {"file": str(tmp_path / "x.parquet"), "head": table.num_rows - 1, "digest": noted(log)[-64:]}
    refused(here("import", tmp_path / "x.parquet", tmp_path / "new.db"), 3, "is not an export of a log")


def test_without_pyarrow_it_says_what_to_install(log: Path, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "pyarrow.py").write_text("raise ImportError('this is a place without pyarrow')\n")
    path = os.pathsep.join([str(without), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.run(
        [*COMMAND, "export", str(log), str(tmp_path / "x.parquet")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 7
    assert process.stderr.startswith("odradek: ")
    assert process.stderr.count("\n") == 1
    assert "pip install 'odradek[parquet]'" in process.stderr
    assert not list(tmp_path.glob("x.parquet*"))


def test_an_export_ends_where_it_is_told(log: Path, tmp_path: Path) -> None:
    assert here("export", log, tmp_path / "x.jsonl", "--until", "1").code == 0
    assert here("import", tmp_path / "x.jsonl", tmp_path / "new.db", "--json").json["head"] <= 1
    refused(here("export", log, tmp_path / "y.jsonl", "--until", "99"), 6, "position 99")
    refused(here("export", log, tmp_path / "y.jsonl", "--until", "soon"), 2, "--until")


def test_the_format_comes_from_the_name_or_the_option(log: Path, tmp_path: Path) -> None:
    refused(here("export", log, tmp_path / "x.csv"), 2, "does not name a format", ".parquet", "--format")
    assert here("export", log, tmp_path / "x.csv", "--format", "jsonl").code == 0
    assert here("export", log, tmp_path / "x.NDJSON").code == 0
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "x.NDJSON").read_bytes()
    refused(here("export", log, "--json"), 2, "--json", "name one")


def test_nothing_is_overwritten(log: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("precious")
    refused(here("export", log, tmp_path / "x.jsonl"), 5, "already exists")
    assert (tmp_path / "x.jsonl").read_text() == "precious"
    lines = here("export", log).output
    refused(here("import", "-", log, stdin=lines), 5, "already exists")
    refused(here("import", "-", tmp_path / "no" / "new.db", stdin=lines), 5, "directory does not exist")
    refused(here("export", log, tmp_path / "no" / "x.jsonl"), 5, "directory does not exist")
    refused(here("import", "-", ":memory:", stdin=lines), 2, "in memory")


def test_a_file_cut_short_or_changed_is_refused_by_its_line(log: Path, tmp_path: Path) -> None:
    lines = here("export", log).output
    whole = lines.splitlines(keepends=True)
    new = tmp_path / "new.db"
    refused(here("import", "-", new, stdin=b"".join(whole[:-1])), 1, f"line {len(whole) - 1} of stdin", "are missing")
    refused(here("import", "-", new, stdin=lines[:-10]), 1, f"line {len(whole)} of stdin", "cut short")
    refused(here("import", "-", new, stdin=lines.replace(b"orders", b"others")), 1, " of stdin is damaged", "digest")
    refused(here("import", "-", new, stdin=b"hello\n"), 3, "stdin is not an export of a log")
    refused(here("import", "-", new), 3, "it is empty")
    refused(here("import", "-", new, stdin=lines.replace(b'"version":1', b'"version":7', 1)), 3, "upgrade")
    refused(here("import", tmp_path / "none.jsonl", new), 3, "cannot be read")
    refused(here("import", tmp_path, new), 3, "cannot be read")
    refused(here("import", log, new), 3, "is not an export of a log")
    assert all(path.name.startswith("orders.db") for path in tmp_path.iterdir())


def small_files() -> None:
    """Let this process write no file of more than 64 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


@pytest.mark.parametrize("command", ["export", "import", "salvage", "backup"])
def test_where_there_is_no_room_nothing_is_left_behind(tmp_path: Path, command: str) -> None:
    big = produced(tmp_path / "big.db", "big", os.urandom(1 << 18).hex().encode() + b"\n")
    place = tmp_path / "place"
    place.mkdir()
    source = tmp_path / "big.jsonl" if command == "import" else big
    if command == "import":
        assert here("export", big, source).code == 0
    refused(odradek(command, source, place / "new.jsonl", before=small_files), 5)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path, form: str) -> None:
    log = produced(tmp_path / "big.db", "big", b"".join(os.urandom(1 << 18).hex().encode() + b"\n" for _ in range(4)))
    with running("export", log, "-", "--format", form) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_an_import_that_is_interrupted_leaves_no_log(log: Path, tmp_path: Path) -> None:
    lines = here("export", log).output
    with running("import", "-", tmp_path / "new.db") as process:
        assert process.stdin is not None
        process.stdin.write(lines[:-10])
        process.stdin.flush()
        wait_for((tmp_path / "new.db.partial").exists, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == b"odradek: interrupted\n"
        assert process.wait(60) == 130
    assert not list(tmp_path.glob("new.db*"))
