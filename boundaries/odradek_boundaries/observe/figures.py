"""The figures of an observation: those that a log proves, and those that are guesses, each a value of its own."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec

__all__ = [
    "ADVICE",
    "Durations",
    "Hop",
    "KindFigures",
    "Merge",
    "Pattern",
    "Split",
    "TagUse",
    "Together",
    "UnitFigures",
    "Window",
]

ADVICE = "then run the lab with your read-sets"
"""What to do about a guess."""
_EXACT_BITS = 8  # of microseconds: shorter durations are counted exactly, longer ones within 1 %


class Window(msgspec.Struct, frozen=True):
    """For how long units may have disagreed, in milliseconds: upper bounds, and their percentiles."""

    p50_ms: float
    p99_ms: float
    max_ms: float


class Pattern(msgspec.Struct, frozen=True):
    """The conversations that touch these kinds of units, and those in `several` with more than one unit each.

    `units`, `hops` and `events` are (mean, most) per conversation. `window` is None if they touch one unit only. If
    there are very many patterns, the rest is one with empty `kinds`.
    """

    kinds: tuple[str, ...]
    several: tuple[str, ...]
    conversations: int
    units: tuple[float, int]
    hops: tuple[float, int]
    events: tuple[float, int]
    window: Window | None


class KindFigures(msgspec.Struct, frozen=True):
    """The units of one kind. There are more than `units` of them if `has_more`: only so many are counted."""

    kind: str
    units: int
    has_more: bool
    decisions: int
    events: int
    conversations: int


class UnitFigures(msgspec.Struct, frozen=True):
    """A unit, or the less busy units of a kind together: then `name` is empty, and a conversation counts for each."""

    kind: str
    name: str
    decisions: int
    events: int
    conversations: int


class Hop(msgspec.Struct, frozen=True):
    """How often conversations went from a unit to another. `source` and `target` are indexes of `Observation.units`."""

    source: int
    target: int
    count: int


class TagUse(msgspec.Struct, frozen=True):
    """How many decisions in units of a kind have one value of a tag, several, or none.

    `values` counts different values, up to a limit. `divides` says whether a unit has several of them.
    """

    kind: str
    tag: str
    decisions: int
    with_one: int
    with_several: int
    values: int
    divides: bool


class Together(msgspec.Struct, frozen=True):
    """How many decisions have a tag, another tag, and both."""

    tag: str
    other: str
    with_tag: int
    with_other: int
    with_both: int


class Merge(msgspec.Struct, frozen=True):
    """A guess: units of `kind` and `other` might be one, since most conversations of `kind` touch exactly one `other`.

    `kind_meets_several` says that a unit of `kind` met several of `other`, in one conversation or in several.
    """

    kind: str
    other: str
    conversations: int
    with_one: int
    kind_meets_several: bool
    other_meets_several: bool

    @property
    def share(self) -> float:
        """The share of the conversations that touch exactly one `other`."""
        return self.with_one / self.conversations

    def __str__(self) -> str:
        meetings = [
            f"one {kind} meets several units of {other}"
            for kind, other, has_several in (
                (self.kind, self.other, self.kind_meets_several),
                (self.other, self.kind, self.other_meets_several),
            )
            if has_several
        ]
        return (
            f"{self.kind} and {self.other} might be one unit: {100 * self.share:.1f} % of {self.conversations:,} "
            f"conversations of {self.kind} touch exactly one {self.other}, "
            + (f"but {' and '.join(meetings)}" if meetings else "and both are always the same two")
            + f"; {ADVICE}"
        )


class Split(msgspec.Struct, frozen=True):
    """A guess: units of `kind` might be divided by a tag, since almost every decision has one value of it."""

    kind: str
    tag: str
    decisions: int
    with_one: int
    values: int

    @property
    def share(self) -> float:
        """The share of the decisions that have exactly one value."""
        return self.with_one / self.decisions

    def __str__(self) -> str:
        return (
            f"{self.kind} might be divided by {self.tag}: {100 * self.share:.1f} % of {self.decisions:,} decisions in "
            f"{self.kind} have exactly one value of it, of {self.values:,} in all; {ADVICE}"
        )


class Durations:
    """Counts durations in little memory: exactly if they are short, else rounded up by less than 1 %."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()  # by microseconds
        self._longest = 0

    def add(self, duration: timedelta) -> None:
        """Count a duration; a negative one, after a step of the clock, as none."""
        microseconds = max(0, (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds)
        if microseconds > self._longest:
            self._longest = microseconds
        surplus = max(0, microseconds.bit_length() - _EXACT_BITS)
        self._counts[((microseconds >> surplus) + 1 << surplus) - 1] += 1

    def window(self) -> Window | None:
        """Return the percentiles, by nearest rank; None if nothing was counted."""
        if not self._counts:
            return None
        return Window(self._percentile(50), self._percentile(99), self._longest / 1000)

    def _percentile(self, percent: int) -> float:
        rank = -(-self._counts.total() * percent // 100)
        for microseconds in sorted(self._counts):
            rank -= self._counts[microseconds]
            if rank <= 0:
                break
        return min(microseconds, self._longest) / 1000
