"""The process that the durable suite kills: it opens a log and appends for ever, saying what was acknowledged.

Run by its path, as `python -P appender.py OPENER LOG`: through the package it would import pytest and Hypothesis each
time. The value of every event begins with the number and the size of its commit, so that a half is told from a whole. A
line is `<first position> <last position> <commit>`. With `--only-open` it opens the log, prints why if it cannot, and
closes it.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from odradek_events.log.port import LogStore
from odradek_events.record import Append, Appended
from odradek_events.types import MessageProduced

__all__ = ["append_for_ever", "only_open", "opener_named"]

_START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def opener_named(name: str) -> Callable[[str], LogStore]:
    """Return the function that `name` ("package.module:function") names; ValueError if it names none."""
    module, _, function = name.partition(":")
    opener = getattr(importlib.import_module(module), function, None) if module and function else None
    if not callable(opener):
        raise ValueError(f"{name!r} names no opener; use 'package.module:function', a function from a path to a log")
    return opener  # type: ignore[no-any-return]  # what it returns is for the tests to show


def append_for_ever(log: LogStore) -> None:
    """Append calls of one to three commits of one to thirteen events, and print each commit that is acknowledged."""
    for call in itertools.count(log.head().position + 1):
        requests = []
        for part in range(1 + call % 3):
            number, size = call * 3 + part, 1 + call * 7 % 13
            value = b"%d %d %s" % (number, size, b"x" * (call * 31 % 2000))
            events = [_message(offset, value) for offset in range(size)]
            requests.append(Append(stream=f"topic/{number % 4}", events=events, commit_id=str(number)))
        for request, verdict in zip(requests, log.append(requests, _START), strict=True):
            assert isinstance(verdict, Appended), verdict
            sys.stdout.write(f"{verdict.first_position} {verdict.last_position} {request.commit_id}\n")
        sys.stdout.flush()


def only_open(opener: str, path: str) -> None:
    """Open a log and close it; print the error if it does not open."""
    try:
        opener_named(opener)(path).close()
    except Exception as error:
        sys.stdout.write(f"{type(error).__name__} {error}\n")


def _message(offset: int, value: bytes) -> MessageProduced:
    return MessageProduced(
        topic="orders",
        partition=0,
        offset=offset,
        message_id=f"m{offset}",
        producer_id="p1",
        producer_epoch=0,
        sequence=offset,
        timestamp=_START,
        value=value,
    )


if __name__ == "__main__":
    if sys.argv[3:] == ["--only-open"]:
        only_open(sys.argv[1], sys.argv[2])
    else:
        append_for_ever(opener_named(sys.argv[1])(sys.argv[2]))
