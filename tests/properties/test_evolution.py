"""After any changes, a type is read as a simple model of the changes says; misspelled field names are detected."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odradek_events import Upcaster, event
from odradek_events.errors import RegistrationError, UpcasterFailed
from odradek_events.record import CommitMetadata, Decision, StoredCommit
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue

NAMES = "abcdef"
T = datetime(2024, 5, 1, tzinfo=UTC)
Fields = dict[str, int]
Step = tuple[str, ...]


class History:
    """The fields of an event at each version, and the steps between versions, from a list of choices."""

    def __init__(self, fields: Fields, choices: Sequence[Sequence[tuple[str, int, int]]]) -> None:
        self.at_version = [dict(fields)]
        self.steps: list[list[Step]] = []
        for version in choices:
            now = dict(self.at_version[-1])
            self.steps.append([step for choice in version if (step := self._step(now, *choice))])
            self.at_version.append(now)

    def _step(self, now: Fields, what: str, which: int, other: int) -> Step | None:
        free = [name for name in NAMES if name not in now]
        name = sorted(now)[which % len(now)] if now else ""
        if (not free and what in ("add", "rename")) or (not name and what != "add"):
            return None
        if what == "add":
            now[free[other % len(free)]] = which
            return "add", free[other % len(free)], str(which)
        value = now.pop(name)
        if what == "rename":
            now[free[other % len(free)]] = value
            return "rename", name, free[other % len(free)]
        if what == "convert":
            now[name] = -value
        return what, name

    def read(self, version: int) -> dict[str, object]:
        """Return an event as read that was stored in this version (counted from 0)."""
        final = self.at_version[-1]
        catalogue = Catalogue()
        upcasters = [upcaster(number, steps) for number, steps in enumerate(self.steps, 1)]
        made = msgspec.defstruct("Event", [(name, int) for name in final], frozen=True)
        event("Event", version=len(self.at_version), upcasters=upcasters, catalogue=catalogue)(made)
        metadata = CommitMetadata("c", "", T, (Decision(1),), (("Event", version + 1),))
        stored = msgspec.json.encode([{"type": "Event", **self.at_version[version]}])
        row = StoredCommit(0, 0, "s/1", 0, msgspec.json.encode(metadata), b"", stored)
        (item,) = Codec(catalogue).commit(row).events
        return msgspec.structs.asdict(item)


def upcaster(version: int, steps: Sequence[Step]) -> Upcaster:
    """Declare the upcaster from a version."""
    made = Upcaster(version)
    declare: dict[str, Callable[..., Upcaster]] = {
        "add": lambda name, value: made.add(name, int(value)),
        "rename": lambda old, new: made.rename(old, new),
        "drop": lambda name: made.drop(name),
        "convert": lambda name: made.convert(name, operator.neg),
    }
    for what, *names in steps:
        made = declare[what](*names)
    return made


choices = st.tuples(st.sampled_from(["add", "rename", "drop", "convert"]), st.integers(0, 9), st.integers(0, 9))
histories = st.builds(
    History,
    st.dictionaries(st.sampled_from(NAMES), st.integers(-99, 99), min_size=1),
    st.lists(st.lists(choices, max_size=4), max_size=3),
)


@given(histories)
def test_every_version_is_read_with_all_later_changes_applied(history: History) -> None:
    for version in range(len(history.at_version)):
        assert history.read(version) == history.at_version[-1]


@given(histories, st.data())
def test_a_misspelled_field_name_is_refused_at_import_or_at_the_event(history: History, data: st.DataObject) -> None:
    places = [
        (version, number, place)
        for version, steps in enumerate(history.steps)
        for number, step in enumerate(steps)
        for place in {"add": (1,), "rename": (1, 2), "convert": (1,), "drop": ()}[step[0]]
    ]
    if not places:
        return
    version, number, place = data.draw(st.sampled_from(places))
    step = history.steps[version][number]
    history.steps[version][number] = (*step[:place], "misspelt", *step[place + 1 :])
    with pytest.raises((RegistrationError, UpcasterFailed)):
        history.read(version)
