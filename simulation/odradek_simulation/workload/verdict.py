"""What must hold after a workload has run to its end without faults, and whether it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from odradek_simulation.checkers.finding import Finding

__all__ = ["INVARIANTS", "Invariant", "judge"]

_EXACTLY_ONCE = "every consumer got every message exactly once"
_AT_LEAST_ONCE = "every group got every message at least once, every other consumer exactly once"
INVARIANTS: dict[str, tuple[str, ...]] = {
    "live == replay": ("live-replay",),
    "every acknowledged message has its own offset, without gaps": (
        "beyond-end",
        "changed-prefix",
        "dense-offsets",
        "duplicate",
        "gap",
        "gapless",
        "inconsistent-offsets",
        "repeated-sequence",
    ),
    _EXACTLY_ONCE: ("unseen", "lost-write", "poll-skip", "repeated-poll"),
    "every message arrived as it was sent": ("aborted-read", "never-sent"),
    "every partition keeps the order of each producer": ("nonmonotonic-poll", "nonmonotonic-send"),
    "every partition has one owner, and its commits only move forward": (
        "commit-backwards",
        "commit-beyond-end",
        "commit-by-other",
        "membership",
        "read-of-other",
        "two-owners",
    ),
    "every request was answered once": ("unanswered",),
}
"""The invariants, and the checkers whose findings break each of them, those that say most first."""


class Invariant(msgspec.Struct, frozen=True):
    """Something that must hold; if it does not, `problem` is a violation that was found."""

    name: str
    holds: bool
    problem: str = ""


def judge(findings: Sequence[Finding], *, may_repeat: bool) -> tuple[Invariant, ...]:
    """Return each invariant, and whether it holds. With `may_repeat`, groups may get messages again."""
    return tuple(
        _invariant(_AT_LEAST_ONCE if may_repeat and name == _EXACTLY_ONCE else name, checkers, findings)
        for name, checkers in INVARIANTS.items()
    )


def _invariant(name: str, checkers: Iterable[str], findings: Sequence[Finding]) -> Invariant:
    first = next((each for checker in checkers for each in findings if each.checker == checker), None)
    return Invariant(name, first is None, "" if first is None else first.problem)
