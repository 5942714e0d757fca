"""Conversations: the decisions with one correlation id, gathered while the log is read.

Nothing in a log says that a conversation is over. So those with the least recent decisions are taken to be over once
too many are open; one that goes on later counts as another conversation. This bounds memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import permutations

from odradek_boundaries.observe.figures import Durations, Pattern
from odradek_boundaries.observe.units import Units
from odradek_events.record import CommitMetadata, Decision

__all__ = ["Conversations"]

_MAX_PATTERNS = 1000
_MAX_MET = 100_000
_MAX_COMMITS = 50_000  # whose units are known, if an event of them is named as a cause

_Key = frozenset[tuple[str, bool]]  # kinds of units, and whether several units of it are touched
_OTHERS: _Key = frozenset()


class _Conversation:
    """An open conversation."""

    __slots__ = ("begin", "end", "events", "hops", "last_unit", "units")

    def __init__(self, begin: datetime) -> None:
        self.begin = self.end = begin
        self.events = self.hops = 0
        self.units: dict[str, None] = {}
        self.last_unit = ""


class _Group:
    """The closed conversations of one pattern."""

    __slots__ = ("count", "events", "hops", "is_settled", "most_events", "most_hops", "most_units", "units", "windows")

    def __init__(self) -> None:
        self.count = self.units = self.hops = self.events = 0
        self.most_units = self.most_hops = self.most_events = 0
        self.windows = Durations()
        self.is_settled = False  # each of its kinds is known to meet several units of the others

    def add(self, conversation: _Conversation) -> None:
        units, hops, events = len(conversation.units), conversation.hops, conversation.events
        self.count += 1
        self.units += units
        self.hops += hops
        self.events += events
        if units > self.most_units:
            self.most_units = units
        if hops > self.most_hops:
            self.most_hops = hops
        if events > self.most_events:
            self.most_events = events
        if units > 1:
            self.windows.add(conversation.end - conversation.begin)

    def pattern(self, key: _Key) -> Pattern:
        return Pattern(
            kinds=tuple(sorted(kind for kind, _ in key)),
            several=tuple(sorted(kind for kind, is_several in key if is_several)),
            conversations=self.count,
            units=(self.units / self.count, self.most_units),
            hops=(self.hops / self.count, self.most_hops),
            events=(self.events / self.count, self.most_events),
            window=self.windows.window(),
        )


class Conversations:
    """All conversations of a log. `room` bounds the open ones and their units, counted together."""

    def __init__(self, units: Units, room: int) -> None:
        self.unknown = 0  # decisions without a correlation id
        self.closed_early = 0
        self._units, self._room = units, room
        self._size = 0
        self._open: OrderedDict[str, _Conversation] = OrderedDict()
        self._commits: dict[str, str] = {}  # commit id -> last unit, of the latest commits
        self._older_commits: dict[str, str] = {}
        self._groups: dict[_Key, _Group] = {}
        self._met: dict[tuple[str, str], str] = {}  # unit, other kind -> the unit of that kind that it met
        self._meeting_several: set[tuple[str, str]] = set()  # kind, other kind

    def add(self, decision: Decision, commit: CommitMetadata, units: Iterable[str], events: int) -> None:
        """Add a decision with this many events, in these units.

        Its units are visited in order, and every change of the unit is a hop. The first hop goes from the unit with the
        event that caused the decision. If none is known, it goes from the last unit of the decision before.
        """
        correlation_id = decision.correlation_id
        if not correlation_id:
            self.unknown += 1
            return
        found = self._open.get(correlation_id)
        if found is None:
            found = self._open[correlation_id] = _Conversation(commit.recorded_at)
            self._size += 1
            before = ""
        else:
            self._open.move_to_end(correlation_id)
            found.end = commit.recorded_at
            before = found.last_unit
            if decision.causation_id and decision.causation_id != correlation_id:
                cause = self._unit_of_commit(decision.causation_id.rpartition("/")[0])
                before = cause if cause in found.units else before
        found.events += events
        for name in units:
            if name != before:
                if name not in found.units:
                    found.units[name] = None
                    self._size += 1
                if before:
                    found.hops += 1
                    self._units.add_hop(before, name)
                before = name
        found.last_unit = before
        if len(self._commits) >= _MAX_COMMITS:
            self._commits, self._older_commits = {}, self._commits
        self._commits[commit.commit_id] = before
        while self._size > self._room:
            self.closed_early += 1
            self._close(self._open.popitem(last=False)[1])

    def close(self) -> None:
        """Take all conversations to be over."""
        while self._open:
            self._close(self._open.popitem(last=False)[1])

    def patterns(self) -> tuple[Pattern, ...]:
        """Return the closed conversations by the kinds of units that they touch, the most frequent first."""
        found = [group.pattern(key) for key, group in self._groups.items()]
        return tuple(sorted(found, key=lambda each: (-each.conversations, each.kinds, each.several)))

    def meets_several(self, kind: str, other: str) -> bool:
        """Say whether conversations brought a unit of `kind` together with several of `other`."""
        return (kind, other) in self._meeting_several

    def _unit_of_commit(self, commit_id: str) -> str:
        return self._commits.get(commit_id) or self._older_commits.get(commit_id, "")

    def _close(self, conversation: _Conversation) -> None:
        self._size -= 1 + len(conversation.units)
        kinds: dict[str, bool] = {}
        for name in conversation.units:
            unit = self._units.of(name)
            unit.conversations += 1
            kinds[unit.kind] = unit.kind in kinds
        key = frozenset(kinds.items())
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= _MAX_PATTERNS:
                key = _OTHERS
            group = self._groups.setdefault(key, _Group())
        group.add(conversation)
        if len(kinds) > 1 and not group.is_settled:
            self._note_meetings(conversation, kinds)
            group.is_settled = key is not _OTHERS and self._meeting_several.issuperset(permutations(kinds, 2))

    def _note_meetings(self, conversation: _Conversation, kinds: Mapping[str, bool]) -> None:
        """Note which units meet several units of another kind."""
        units = {self._units.kind_of(name): name for name in conversation.units}  # one of each kind
        for name in conversation.units:
            kind = self._units.kind_of(name)
            for other, is_several in kinds.items():
                if kind == other or (kind, other) in self._meeting_several:
                    continue
                met = self._met.get((name, other))
                if is_several or (met is not None and met != units[other]):
                    self._meeting_several.add((kind, other))
                elif met is None and len(self._met) < _MAX_MET:
                    self._met[name, other] = units[other]
