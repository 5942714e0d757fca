"""The process that the durable suite kills: it opens a log, appends forever, and prints each acknowledged commit.

Run it by path, as `python -P appender.py OPENER LOG`: through the package it would import pytest and Hypothesis each
time. The value of every event starts with the number and the size of its commit, so that partial commits are detected.
Each output line is `<first position> <last position> <commit>`. With `--only-open` it only opens and closes the log,
and prints the error if opening fails.
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
    """Return the function called `name` ("package.module:function"); raise ValueError if it does not exist."""
    module, _, function = name.partition(":")
    opener = getattr(importlib.import_module(module), function, None) if module and function else None
    if not callable(opener):
        raise ValueError(
            f"{name!r} is not an opener; use 'package.module:function' for a function that opens the log at a path"
        )
    return opener  # type: ignore[no-any-return]  # the tests check what it returns


def append_for_ever(log: LogStore) -> None:
    """Append one to three commits of one to thirteen events per call, forever; print each acknowledged commit."""
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
    """Open a log and close it; print the error if opening fails."""
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
