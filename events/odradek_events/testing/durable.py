"""Case G: a log on disk keeps what it acknowledged even if its process is killed, and has one writer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odradek_events.errors import LogError, LogLocked
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import LogStore
from odradek_events.maintenance.verify import verify
from odradek_events.record import ANY, Append
from odradek_events.testing import appender
from odradek_events.testing.appender import opener_named
from odradek_events.testing.determinism import comparable
from odradek_events.testing.samples import Measured, append, at, created, positions, produced

__all__ = ["DurableLogConformance"]

_ACKNOWLEDGED_BEFORE_KILL = (1, 2, 4, 9, 17, 33)  # lines; the process is killed during a later append
_FLIPS = 160
_APPENDER = [sys.executable, "-P", appender.__file__]  # -P: keep this module's folder out of its path

_events: st.SearchStrategy[Any] = st.one_of(
    st.builds(created, st.sampled_from("abc"), st.text(st.characters(codec="utf-8"), max_size=5)),
    st.builds(produced, st.integers(0, 9), st.sampled_from("abc"), st.integers(0, 1), value=st.binary(max_size=20)),
    st.builds(Measured, st.sampled_from("abc"), st.integers(-1, 9), st.floats()),
)
_calls = st.lists(
    st.builds(
        lambda stream, events, expected, commit_id: Append(
            stream=stream, events=events, expected_version=expected, commit_id=commit_id
        ),
        st.sampled_from(["topic/a", "topic/b", "topic/ü ☃", "nowhere"]),
        st.lists(_events, max_size=3),
        st.just(ANY) | st.integers(-1, 6),
        st.sampled_from(["", "c1", "c2"]),
    ),
    max_size=3,
)
_histories = st.lists(st.tuples(st.sampled_from(["append", "append", "reopen", "close"]), _calls), max_size=8)


def _environment() -> dict[str, str]:
    """Return the environment with which another process can import the same modules."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class DurableLogConformance:
    """All cases for a log on disk. Subclass it, and set `opener` to the name of a function that opens a log to write.

    class TestMyLogOnDisk(DurableLogConformance):
        opener = "mypackage.store:MyLog"

    Other processes import the function too. It is called with the path, as a str, of a file or directory that does not
    exist at first. The log must keep all its data there or in files next to it.
    """

    opener: ClassVar[str]

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Return a path for a log in an empty directory."""
        (tmp_path / "place").mkdir()
        return tmp_path / "place" / "log"

    def open(self, path: Path) -> LogStore:
        """Open the log at `path` for writing."""
        return opener_named(self.opener)(str(path))

    # -- closing and opening ------------------------------------------------------------------------------------------

    def test_a_reopened_log_continues_where_it_ended(self, path: Path) -> None:
        with self.open(path) as log:
            append(log, "topic/a", created("a"), produced(0, "a"), when=50)
            append(log, "topic/b", created("b"), when=50)
            head, events = log.head(), list(log.read())
        with self.open(path) as log:
            assert (log.head(), list(log.read())) == (head, events)
            assert list(log.streams()) == ["topic/a", "topic/b"]
            assert positions(log, tags=["topic:a"]) == [0, 1]
            assert append(log, "topic/a", produced(1, "a"), expected=1, when=10).recorded_at == at(50)
            assert verify(log).is_sound

    @settings(
        max_examples=max(1, settings().max_examples // 4),  # an example opens and closes a log on disk
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
    )
    @given(history=_histories)
    def test_any_history_with_closings_gives_the_same_log_as_in_memory(
        self, history: list[tuple[str, list[Append]]]
    ) -> None:
        with tempfile.TemporaryDirectory() as place:
            memory, log = MemoryLog(), self.open(Path(place) / "log")
            try:
                for step, (act, requests) in enumerate(history):
                    if act == "append":
                        verdicts, expected = log.append(requests, at(step)), memory.append(requests, at(step))
                        assert comparable(verdicts) == comparable(expected)
                    elif act == "reopen":
                        log.reopen()
                    else:
                        log.close()
                        log = self.open(Path(place) / "log")
                    assert log.head() == memory.head()
                assert list(log.read()) == list(memory.read())
            finally:
                log.close()

    # -- one writer ---------------------------------------------------------------------------------------------------

    def test_a_second_writer_is_refused_with_the_process_that_holds_the_log(self, path: Path) -> None:
        with self.open(path) as log:
            with pytest.raises(LogLocked) as refused:
                self.open(path)
            assert refused.value.holder in str(refused.value)
            elsewhere = self.open_elsewhere(path)
            assert elsewhere.startswith("LogLocked "), elsewhere
            assert str(os.getpid()) in elsewhere
            append(log, "topic/a", created())
        assert self.open_elsewhere(path) == ""

    def open_elsewhere(self, path: Path) -> str:
        """Open the log in another process; return the error if there is one."""
        command = [*_APPENDER, self.opener, str(path), "--only-open"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=_environment(), check=True)
        return done.stdout.strip()

    # -- crashes ------------------------------------------------------------------------------------------------------

    def test_acknowledged_commits_survive_a_killed_process_and_no_commit_is_partial(self, path: Path) -> None:
        acknowledged: list[tuple[int, int, int]] = []
        for lines in _ACKNOWLEDGED_BEFORE_KILL:
            acknowledged += self.append_until_killed(path, lines)
            with self.open(path) as log:
                report = verify(log)
                assert report.findings == ()
                stored = [
                    (int(number), int(size))
                    for number, size, _ in (recorded.event.value.split(b" ", 2) for recorded in log.read())
                ]
            assert len(stored) == report.head + 1
            for (number, size), count in Counter(stored).items():
                assert count == size, f"commit {number} has {size} events, but only {count} are stored"
            for first, last, number in acknowledged:
                kept = [number for number, _ in stored[first : last + 1]]
                assert kept == [number] * (last - first + 1), f"commit {number} was acknowledged, but is not stored"
        with self.open(path) as log:
            append(log, "topic/after", created())

    def append_until_killed(self, path: Path, lines: int) -> list[tuple[int, int, int]]:
        """Let another process append until it has printed `lines`, kill it, and return the acknowledged commits."""
        with subprocess.Popen(
            [*_APPENDER, self.opener, str(path)], stdout=subprocess.PIPE, text=True, env=_environment()
        ) as process:
            assert process.stdout is not None
            text = "".join(process.stdout.readline() for _ in range(lines))
            process.kill()
            text += process.stdout.read()
        assert text.count("\n") >= lines, "the process ended before it was killed"
        whole = text[: text.rfind("\n") + 1].splitlines()  # a partial line is not an acknowledgement
        return [(int(first), int(last), int(number)) for first, last, number in map(str.split, whole)]

    # -- damage -------------------------------------------------------------------------------------------------------

    def test_a_flipped_bit_is_detected_or_changes_nothing(self, path: Path) -> None:
        """Detected means: the log does not open, `verify` reports it, or the head differs from the known one."""
        with self.open(path) as log:
            for number in range(8):
                append(log, f"topic/{number % 3}", created(), produced(number, value=b"a value %d" % number))
            known, events = log.head(), list(log.read())
        unnoticed = []
        for damaged, where in self.flipped(path.parent):
            try:
                with self.open(damaged / path.name) as log:
                    is_noticed = not verify(log).is_sound or log.head() != known
                    if not is_noticed and list(log.read()) != events:
                        unnoticed.append(where)
            except LogError:
                continue
        assert unnoticed == []

    def flipped(self, place: Path) -> Iterator[tuple[Path, str]]:
        """Yield copies of a directory, each with one bit of one file flipped, spread evenly over all files."""
        files = sorted(file for file in place.rglob("*") if file.is_file())
        total = sum(file.stat().st_size for file in files)
        for number in range(min(_FLIPS, total)):
            offset = number * total // min(_FLIPS, total)
            copy = place.with_name("damaged")
            shutil.copytree(place, copy)
            for file in files:
                size = file.stat().st_size
                if offset < size:
                    content = bytearray(file.read_bytes())
                    content[offset] ^= 1 << number % 8
                    (copy / file.relative_to(place)).write_bytes(content)
                    yield copy, f"a bit of byte {offset} of {file.relative_to(place)}"
                    break
                offset -= size
            shutil.rmtree(copy)
