"""The writer's lock, and children that are forked at the wrong moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from odradek_events.errors import LogLocked
from odradek_events.sqlite.writer_lock import WriterLock

FORKING = """
import os, signal, sys, threading
from pathlib import Path
from odradek_events.errors import LogLocked
from odradek_events.sqlite.writer_lock import WriterLock

path = Path(sys.argv[1])
ended = threading.Event()

def lock_on():
    while not ended.is_set():
        WriterLock(path, "log.db").release()

threads = [threading.Thread(target=lock_on)]
for thread in threads:
    thread.start()
children = []
is_running, tell = os.pipe()
for _ in range(150):
    pid = os.fork()
    if pid == 0:
        os.write(tell, b".")
        signal.pause()
        os._exit(0)
    children.append(pid)
ended.set()
for thread in threads:
    thread.join()
for _ in children:  # a child that has not run yet has not closed anything either
    os.read(is_running, 1)
held = []
for child in children:
    for name in os.listdir(f"/proc/{child}/fd"):
        try:
            if os.readlink(f"/proc/{child}/fd/{name}").endswith(".lock"):
                held.append(child)
        except OSError:
            pass
WriterLock(path, "log.db").release()
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(len(held))
"""


@pytest.mark.slow
def test_a_fork_at_any_moment_leaves_the_child_without_the_lock(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, str(tmp_path / "log.db")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_release_unlocks_even_if_another_process_has_the_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    lock = WriterLock(path, "log.db")
    descriptor = lock._descriptor
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], pass_fds=[descriptor])
    try:
        with pytest.raises(LogLocked):
            WriterLock(path, "log.db")
        lock.release()
        WriterLock(path, "log.db").release()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(30)


def test_releasing_twice_closes_nothing_else(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "log.db", "log.db")
    lock.release()
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    lock.release()
    os.close(other)


def test_a_refused_lock_leaves_no_descriptor_open(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    lock = WriterLock(path, "log.db")
    before = os.listdir("/dev/fd")
    for _ in range(20):
        with pytest.raises(LogLocked, match="by this process"):
            WriterLock(path, "log.db")
    assert len(os.listdir("/dev/fd")) == len(before)
    lock.release()
