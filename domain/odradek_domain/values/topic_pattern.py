"""Patterns of topic names, matched with RE2, as in Kafka's newer group protocol (KIP-848).

A pattern comes from a subscriber, who is not trusted, and is stored. Python's `re` backtracks: `(a+)+$` on 30 letters
takes minutes, and would freeze the actor that matches it, again after each recovery. RE2 matches in time linear in the
length of the name. It has neither look-arounds nor back-references, which need backtracking.

RE2 is loaded with the first pattern. A pattern of an older log that RE2 rejects matches no topic.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from odradek_domain.errors import InvalidPattern
from odradek_events.validation import text

__all__ = ["MAX_PATTERN", "check_pattern", "matches", "pattern_problem"]

MAX_PATTERN = 4096
"""The maximum length of a pattern; with RE2's memory limit it bounds the cost of compiling."""

_MAX_MEMORY = 1 << 20  # bytes; RE2's default of 8 MiB for each pattern would be too much to cache


def check_pattern(pattern: str) -> str:
    """Return a pattern as a plain str; InvalidPattern if RE2 cannot match it, TypeError or ValueError for bad text."""
    plain = text("pattern", pattern, MAX_PATTERN)
    problem = pattern_problem(plain)
    if problem is not None:
        raise InvalidPattern(plain, problem)
    return plain


def matches(pattern: str, topic: str) -> bool:
    """Return whether a pattern matches the whole name of a topic; False if RE2 rejects the pattern."""
    compiled, _ = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(topic) is not None


def pattern_problem(pattern: str) -> str | None:
    """Return why RE2 rejects a pattern, or None."""
    return _compiled(pattern)[1]


@lru_cache(128)
def _compiled(pattern: str) -> tuple[Any, str | None]:
    """Return the compiled pattern, or None and the reason why RE2 rejects it."""
    import re2

    options = re2.Options()
    options.log_errors = False  # it would write to stderr
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options), None
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        return None, reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    except UnicodeEncodeError as error:
        return None, error.reason
