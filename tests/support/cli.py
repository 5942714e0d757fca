"""Runs the `odradek` command: in another process with `odradek`, or in this one with `here`, which is ten times faster.

Use `odradek` for tests of processes (signals, pipes, locks, limits), and `here` for tests of arguments and output.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odradek.cli import app

COMMAND = [sys.executable, "-m", "odradek"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    output: bytes
    complaint: str

    @property
    def text(self) -> str:
        return self.output.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.output)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]


def odradek(
    *arguments: object, stdin: bytes = b"", before: Callable[[], None] | None = None, place: Path | None = None
) -> Outcome:
    """Run a command to its end, in the directory `place`.

    `before` runs in its process first, for example to remove a permission.
    """
    process = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=120,
        preexec_fn=before,
        cwd=place,
        check=False,
    )
    return Outcome(process.returncode, process.stdout, process.stderr.decode())


@contextmanager
def running(*arguments: object, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background, with pipes; it is killed at the end of the block, or after two minutes."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=_notice_interrupts,
    ) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            process.kill()
            watchdog.cancel()
            watchdog.join()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until a running command makes a condition true; fail if the command ends before."""
    while not condition():
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(0.01)
            raise AssertionError(f"the command ended with exit code {code}")


def _notice_interrupts() -> None:
    """Handle SIGINT as in a terminal's foreground: a shell makes background processes ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def here(*arguments: object, stdin: bytes = b"") -> Outcome:
    """Run a command in this process."""
    streams = [io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (stdin, b"", b"")]
    terminate, level = signal.getsignal(signal.SIGTERM), logging.getLogger("odradek").level
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        code = app([str(argument) for argument in arguments])
        for stream in streams[1:]:
            stream.flush()
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        signal.signal(signal.SIGTERM, terminate)
        logging.getLogger("odradek").setLevel(level)
    output, complaint = (stream.buffer.getvalue() for stream in streams[1:])
    return Outcome(code, output, complaint.decode())


def refused(outcome: Outcome, code: int, *words: str) -> str:
    """Check that a command failed with this code and one sentence that contains these words; return the sentence."""
    assert outcome.code == code, outcome
    assert outcome.complaint.startswith("odradek: "), outcome
    assert outcome.complaint.count("\n") == 1, outcome
    for word in words:
        assert word in outcome.complaint, outcome
    return outcome.complaint


def produced(log: Path, topic: str, lines: bytes, *options: object) -> Path:
    """Produce lines into a log and return its path."""
    outcome = here("produce", log, topic, "--durability", "off", *options, stdin=lines)
    assert outcome.code == 0, outcome
    return log
