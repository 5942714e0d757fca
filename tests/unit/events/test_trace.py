"""The causal tree of a conversation, found by correlation id, a prefix of it, an event id or a position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.log import at, created, produced

from odradek_events import Append, Appended, Decision, LogStore, MemoryLog, SqliteLog, event
from odradek_events.errors import CorrelationIsAmbiguous, CorrelationNotFound, PositionBeyondHead
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.schema.registry import Catalogue
from odradek_events.trace import Trace, TracedDecision, TracedEvent, trace, trace_at


@event("TraceTestStep", version=1)
class Step(msgspec.Struct, frozen=True):
    """Something that happened."""

    name: str


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    """Yield an empty log of each kind."""
    opened = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db", durability="off")
    with opened:
        yield opened


def decided(
    log: LogStore, stream: str, names: str, decisions: Sequence[tuple[int, str, str]] = (), commit_id: str = ""
) -> None:
    """Append steps that are named by letters."""
    made = tuple(Decision(*decision) for decision in decisions)
    events = [Step(name) for name in names]
    (verdict,) = log.append([Append(stream=stream, events=events, commit_id=commit_id, decisions=made)], at(0))
    assert isinstance(verdict, Appended)


def outline(found: Trace | TracedDecision | TracedEvent) -> Any:
    """Return a tree as nested lists: decisions as lists, events by their names, with what they caused."""
    match found:
        case Trace():
            return [outline(decision) for decision in found.decisions]
        case TracedDecision():
            behalf = [("for it", outline(decision)) for decision in found.on_behalf]
            return [*behalf, *map(outline, found.events)]
        case TracedEvent():
            name = found.recorded.event.name
            below = [outline(decision) for decision in found.caused] + [outline(item) for item in found.followed_by]
            return (name, *below) if below else name


def test_a_trace_has_the_decisions_and_everything_their_events_caused(log: LogStore) -> None:
    decided(log, "a/1", "ab", [(2, "talk", "")], "first")
    decided(log, "b/1", "x", [(1, "other", "")])
    decided(log, "b/1", "cd", [(2, "talk", "first/1")], "second")
    decided(log, "c/1", "e", [(1, "talk", "second/0")])
    decided(log, "c/1", "f", [(1, "talk", "first/1")])

    found = trace(log, "talk")
    assert outline(found) == [["a", ("b", [("c", ["e"]), "d"], ["f"])]]
    assert (found.correlation_id, found.event_count, found.omitted) == ("talk", 6, 0)


def test_a_trace_leaves_out_other_decisions_of_a_shared_commit(log: LogStore) -> None:
    decided(log, "a/1", "abcd", [(1, "other", ""), (2, "talk", ""), (1, "another", "")])

    assert outline(trace(log, "talk")) == [["b", "c"]]
    (decision,) = trace(log, "talk").decisions
    assert [item.recorded.metadata.event_id for item in decision.events] == ["a/1@0/1", "a/1@0/2"]
    assert [item.recorded.version for item in decision.events] == [1, 2]


def test_decisions_on_behalf_of_the_first_command_are_below_it(log: LogStore) -> None:
    decided(log, "topic/t", "c", [(1, "talk", "talk")])
    decided(log, "topic/t", "m", [(1, "talk", "")])
    decided(log, "group/g", "o", [(1, "talk", "talk")])

    assert outline(trace(log, "talk")) == [[("for it", ["c"]), ("for it", ["o"]), "m"]]


def test_decisions_on_behalf_are_attached_by_stream_or_by_time(log: LogStore) -> None:
    decided(log, "topic/t", "c", [(1, "talk", "talk")])
    decided(log, "topic/s", "m", [(1, "talk", "")])
    decided(log, "topic/t", "n", [(1, "talk", "")])
    decided(log, "group/g", "o", [(1, "talk", "talk")])

    assert outline(trace(log, "talk")) == [["m"], [("for it", ["c"]), ("for it", ["o"]), "n"]]


def test_decisions_on_behalf_of_a_command_without_events_are_shown(log: LogStore) -> None:
    decided(log, "group/g", "o", [(1, "talk", "talk")])

    assert outline(trace(log, "talk")) == [["o"]]


@pytest.mark.parametrize("cause", ["nobody knows", "second/0", "first/0", "first/1", "/", "first/", "first/9"])
def test_a_causation_id_of_no_earlier_event_in_the_trace_is_ignored(log: LogStore, cause: str) -> None:
    decided(log, "a/1", "a", [(1, "talk", cause)], "first")
    decided(log, "b/1", "b", [(1, "talk", "")], "second")

    assert outline(trace(log, "talk")) == [["a"], ["b"]]


def test_a_chain_of_causes_may_be_long(log: LogStore) -> None:
    decided(log, "a/1", "a", [(1, "talk", "")], "0")
    for number in range(1, 1100):
        decided(log, f"a/{number}", "a", [(1, "talk", f"{number - 1}/0")], str(number))

    found = trace(log, "talk", limit=5000)
    depth, (decision,) = 1, found.decisions
    while decision.events[0].caused:
        depth, (decision,) = depth + 1, decision.events[0].caused
    assert (depth, found.event_count) == (1100, 1100)


def test_a_unique_prefix_of_a_correlation_id_is_enough(log: LogStore) -> None:
    decided(log, "a/1", "a", [(1, "order-17", "")])
    decided(log, "a/1", "b", [(1, "order-170", "")])
    decided(log, "a/1", "c", [(1, "invoice-3", "")])

    assert trace(log, "inv").correlation_id == "invoice-3"
    assert trace(log, "order-17").correlation_id == "order-17"
    with pytest.raises(CorrelationIsAmbiguous, match=r"'order-17', 'order-170'; give more characters of the id"):
        trace(log, "order")


def test_an_exact_id_is_found_among_many_with_the_same_prefix(log: LogStore) -> None:
    for number in range(20):
        decided(log, "a/1", "a", [(1, f"order-{number}", "")])
    decided(log, "a/1", "z", [(1, "order-", "")])

    assert outline(trace(log, "order-")) == [["z"]]
    with pytest.raises(CorrelationIsAmbiguous) as caught:
        trace(log, "order")
    assert caught.value.candidates == ["order-0", "order-1", "order-2"]


@pytest.mark.parametrize(
    "name", ["", "nothing", "/", "/0", "a/1@0/2", "a/1@0/x", "a/1@0/²", '"', "\ud800", "rder", "actor"]
)
def test_an_unknown_id_raises_correlation_not_found(log: LogStore, name: str) -> None:
    decided(log, "a/1", "ab", [(2, "order-1", "")])
    with pytest.raises(CorrelationNotFound, match="no event has the event id or correlation id prefix"):
        trace(log, name)


@pytest.mark.parametrize("name", ['say "x"', "back\\slash", "Bäume\n🧵", "topic/orders@0/0", "-1", "\x00"])
def test_an_id_may_be_any_text(log: LogStore, name: str) -> None:
    decided(log, "a/1", "a", [(1, name, "")])
    assert outline(trace(log, name)) == [["a"]]


def test_an_event_id_identifies_its_conversation(log: LogStore) -> None:
    decided(log, "a/1", "ab", [(1, "one", ""), (1, "two", "")], "c-1")
    decided(log, "a/1", "c", [(1, "two", "")])

    assert outline(trace(log, "c-1/0")) == [["a"]]
    assert outline(trace(log, "c-1/1")) == [["b"], ["c"]]
    assert outline(trace(log, "a/1@2/0")) == [["b"], ["c"]]


def test_a_position_identifies_the_conversation_of_its_event(log: LogStore) -> None:
    decided(log, "a/1", "ab", [(1, "one", ""), (1, "two", "")])
    decided(log, "a/1", "c", [(1, "one", "")])

    assert outline(trace_at(log, 0)) == outline(trace_at(log, 2)) == [["a"], ["c"]]
    assert outline(trace_at(log, 1)) == [["b"]]
    for position in (-1, 3):
        with pytest.raises(PositionBeyondHead):
            trace_at(log, position)


def test_an_event_without_a_correlation_id_is_traced_by_itself(log: LogStore) -> None:
    decided(log, "a/1", "abc", [(1, "", ""), (2, "", "")], "c-1")
    decided(log, "a/1", "d")

    assert outline(trace_at(log, 2)) == outline(trace(log, "c-1/1")) == [["b", "c"]]
    assert trace_at(log, 3).correlation_id == ""


def test_a_trace_keeps_at_most_the_limit_and_counts_the_rest(log: LogStore) -> None:
    decided(log, "a/1", "abcd", [(4, "talk", "")])
    decided(log, "b/1", "ef", [(2, "talk", "a/1@0/3")])

    found = trace(log, "talk", limit=3)
    assert (outline(found), found.event_count, found.omitted) == ([["a", "b", "c"]], 6, 3)
    assert outline(trace(log, "talk", limit=5)) == [["a", "b", "c", ("d", ["e"])]]
    assert trace(log, "talk", limit=0).decisions == ()


def test_follow_is_called_with_the_events_of_the_conversation(log: LogStore) -> None:
    decided(log, "a/1", "a", [(1, "talk", "")])
    decided(log, "b/1", "x", [(1, "other", "")])
    (other,) = log.read(after=0)

    found = trace(log, "talk", follow=lambda _, events: {item.position: (TracedEvent(other),) for item in events})
    assert outline(found) == [[("a", "x")]]


def test_progress_is_reported_up_to_the_end(log: LogStore) -> None:
    for _ in range(3):
        decided(log, "a/1", "ab", [(2, "talk", "")])
    reported: list[int] = []
    trace(log, "talk", progress=reported.append)
    assert reported == [1, 3, 5]


def test_a_trace_includes_events_of_unknown_types(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db", durability="off") as log:
        decided(log, "a/1", "a", [(1, "talk", "")])
    with SqliteLog(tmp_path / "log.db", read_only=True, codec=Codec(Catalogue())) as log:
        (decision,) = trace(log, "talk").decisions
        assert decision.events[0].recorded.event == OpaqueEvent(
            "TraceTestStep", 1, b'{"type":"TraceTestStep","name":"a"}'
        )


def test_an_empty_log_has_no_conversation() -> None:
    with pytest.raises(CorrelationNotFound):
        trace(MemoryLog(), "talk")


def test_a_trace_includes_built_in_events(log: LogStore) -> None:
    log.append(
        [Append(stream="topic/orders", events=[created(), produced(0)], decisions=(Decision(2, "talk"),))], at(0)
    )
    (decision,) = trace(log, "talk").decisions
    assert [item.recorded.type for item in decision.events] == ["TopicCreated", "MessageProduced"]
