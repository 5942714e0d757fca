"""Commands on pipes that another program has set to non-blocking, and on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest
from support.cli import COMMAND, here, produced

from odradek import ActorSystem

LINES = b"".join(b"%06d %s\n" % (number, b"x" * 60) for number in range(4_000))
PATIENCE = 120
HOSTILE = b"\x1b[2J\x1b]0;title\x07\r\x9b31m \xc2\x9b31m \xe2\x80\xae\xff ok"


def fed(descriptor: int, pieces: list[bytes]) -> threading.Thread:
    """Write pieces to a pipe from a thread, and close it."""

    def feed() -> None:
        with os.fdopen(descriptor, "wb", buffering=0) as pipe:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[pipe.write(rest) or 0 :]

    thread = threading.Thread(target=feed)
    thread.start()
    return thread


def test_produce_waits_for_a_stdin_that_does_not_block(tmp_path: Path) -> None:
    log = tmp_path / "orders.db"
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    command = subprocess.Popen(
        [*COMMAND, "produce", str(log), "orders"], stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # In odd pieces, after the command has started to read an empty pipe: it sees halves of lines, and no end.
    feeder = fed(writing, [LINES[first : first + 7001] for first in range(0, len(LINES), 7001)])
    output, complaint = command.communicate(timeout=PATIENCE)
    feeder.join(PATIENCE)
    assert (command.returncode, complaint) == (0, b"")
    assert b"Stored 4,000 messages" in output
    assert not os.get_blocking(reading), "the flag is the other program's"
    os.close(reading)
    assert here("consume", log, "orders").output == LINES


@pytest.mark.parametrize("command", ["log", "consume"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_to_a_pipe_that_does_not_block_is_complete(tmp_path: Path, command: str, unbuffered: str) -> None:
    log = produced(tmp_path / "orders.db", "orders", LINES)
    expected = here(command, log, *(["orders"] if command == "consume" else [])).output
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    arguments = [*COMMAND, command, str(log), *(["orders"] if command == "consume" else [])]
    process = subprocess.Popen(
        arguments, stdout=writing, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        found = pipe.read()
    _, complaint = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaint) == (0, b"")
    assert found == expected
    assert found.count(b"\n") >= 4_000


def hostile_log(path: Path) -> Path:
    """Return a log with a message that would command a terminal."""
    with ActorSystem.open(path) as system, system.producer() as producer:
        producer.send("orders", HOSTILE, key=b"\x1b[31m", headers=[("\x1bh", b"\x1b")]).result()
    return path


def on_a_terminal(*arguments: str) -> bytes:
    """Run a command whose stdout is a terminal, and return what the terminal got."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen([*COMMAND, *arguments], stdout=theirs, stderr=subprocess.PIPE)
        os.close(theirs)
        found = b""
        try:
            while piece := terminal.read(4096):
                found += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        _, complaint = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaint) == (0, b"")
    return found.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("form", ["%v", "%k %v %h", "json"])
def test_on_a_terminal_messages_cannot_send_it_commands(tmp_path: Path, form: str) -> None:
    log = hostile_log(tmp_path / "orders.db")
    found = on_a_terminal("consume", str(log), "orders", "--format", form).decode()
    assert found.rstrip("\n").isprintable()
    assert "ok" in found or form == "json"
    if form == "%v":
        assert found == r"\u001b[2J\u001b]0;title\u0007\u000d\x9b31m \u009b31m \u202e\xff ok" + "\n"


def test_on_a_terminal_lines_and_tabs_stay_as_they_are(tmp_path: Path) -> None:
    with ActorSystem.open(tmp_path / "orders.db") as system, system.producer() as producer:
        producer.send("orders", "one\n\ttwo é").result()
    found = on_a_terminal("consume", str(tmp_path / "orders.db"), "orders", "--format", "%o\\t%v").decode()
    assert found.expandtabs() == "0\tone\n\ttwo é\n".expandtabs()


def test_a_pipe_gets_the_bytes_of_messages(tmp_path: Path) -> None:
    log = hostile_log(tmp_path / "orders.db")
    assert here("consume", log, "orders").output == HOSTILE + b"\n"


def test_events_printed_on_a_terminal_cannot_send_it_commands(tmp_path: Path) -> None:
    log = hostile_log(tmp_path / "orders.db")
    for arguments in (["log", str(log)], ["log", str(log), "--json"]):
        assert all(line.isprintable() for line in on_a_terminal(*arguments).decode().split("\n"))
