"""Case E: stored events stay readable for every program that registers their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest

from odradek_events.errors import EventNotSerializable, UnknownEventType
from odradek_events.log.port import LogStore
from odradek_events.record import NO_STREAM, Append, Appended, Decision, Rejected
from odradek_events.schema.codec import Codec, OpaqueEvent
from odradek_events.schema.registry import Catalogue, event
from odradek_events.schema.upcasters import Upcaster
from odradek_events.testing.samples import (
    START,
    Measured,
    Unregistered,
    answer,
    append,
    at,
    codec_that_knows,
    created,
    positions,
    produced,
)
from odradek_events.testing.suite import LogSuite
from odradek_events.types import TopicCreated

__all__ = ["SerialisationCases"]

_NOT_STORABLE: Mapping[str, Callable[[], object]] = {
    "an unregistered event": lambda: Unregistered("x"),
    "a dict instead of an event": lambda: {"type": "TopicCreated"},
    "a value that JSON cannot represent": lambda: Measured("s", 0, kind=object()),
    "text that UTF-8 cannot encode": lambda: Measured("\ud800", 0),
    "not a number": lambda: Measured("s", 0, amount=float("nan")),
    "a value of a wrong type": lambda: Measured("s", "zero"),  # type: ignore[arg-type]  # the mistake
    "a tag of a list": lambda: Measured("s", 0, kind=["unhashable"]),
    "a negative offset": lambda: Measured("s", -1),
    "an offset beyond 64 bits": lambda: Measured("s", 1 << 63),
}


class SerialisationCases(LogSuite):
    """What every log guarantees about stored events and metadata."""

    # -- metadata -----------------------------------------------------------------------------------------------------

    def test_every_event_has_an_id_actor_time_and_schema_version(self, log: LogStore) -> None:
        log.append([Append(stream="topic/a", events=[created(), produced(0)], commit_id="c7", actor="topic-1")], at(4))
        _, second = log.read()
        metadata = second.metadata
        assert (metadata.event_id, metadata.commit_id, metadata.actor) == ("c7/1", "c7", "topic-1")
        assert (metadata.type, metadata.schema_version, metadata.recorded_at) == ("MessageProduced", 1, at(4))

    def test_a_commit_without_an_id_gets_an_id_from_its_stream_and_version(self, log: LogStore) -> None:
        append(log, "topic/a", created())
        append(log, "topic/a", produced(0), produced(1))
        assert [r.metadata.event_id for r in log.read()] == ["topic/a@0/0", "topic/a@1/0", "topic/a@1/1"]

    def test_decisions_give_each_event_its_correlation_and_causation(self, log: LogStore) -> None:
        decisions = (Decision(1, "order-1", "cause-1"), Decision(2, "order-2"), Decision(1, "order-3", "cause-3"))
        answer(log, Append(stream="topic/a", events=[produced(n) for n in range(4)], decisions=decisions))
        found = [(r.metadata.correlation_id, r.metadata.causation_id) for r in log.read(after=0)]
        assert found == [("order-2", ""), ("order-2", ""), ("order-3", "cause-3")]
        assert next(log.read()).metadata.correlation_id == "order-1"

    @pytest.mark.parametrize("counts", [(1,), (3,), (1, 1, 1), (2, 0), (3, -1)])
    def test_decisions_that_do_not_add_up_are_refused(self, log: LogStore, counts: tuple[int, ...]) -> None:
        decisions = tuple(Decision(count) for count in counts)
        error = answer(log, Append(stream="topic/a", events=[produced(0), produced(1)], decisions=decisions))
        assert "make them add up" in str(error)

    # -- events that cannot be stored ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("bad", _NOT_STORABLE)
    def test_an_event_that_cannot_be_stored_rejects_only_its_own_request(self, log: LogStore, bad: str) -> None:
        verdicts = log.append(
            [
                Append(stream="topic/a", events=[created("a")]),
                Append(stream="series/s", events=[_NOT_STORABLE[bad](), Measured("s", 0)]),
                Append(stream="series/s", events=[Measured("s", 0)], expected_version=NO_STREAM),
            ],
            START,
        )
        assert [type(verdict) for verdict in verdicts] == [Appended, Rejected, Appended]
        assert isinstance(verdicts[1], Rejected)
        assert isinstance(verdicts[1].error, EventNotSerializable)
        assert str(verdicts[1].error).startswith("an event for stream 'series/s' cannot be stored: ")
        assert [r.stream for r in log.read()] == ["topic/a", "series/s"]

    def test_metadata_that_cannot_be_stored_rejects_only_its_own_request(self, log: LogStore) -> None:
        requests = [
            Append(stream="topic/a", events=[created("a")], commit_id="\ud800"),
            Append(stream="topic/a", events=[created("a")], decisions=(Decision(1, "x" * 2000),)),
            Append(stream="topic/a", events=[created("a")], commit_id="good"),
        ]
        assert [type(verdict) for verdict in log.append(requests, START)] == [Rejected, Rejected, Appended]
        assert [r.metadata.commit_id for r in log.read()] == ["good"]

    # -- names and versions -------------------------------------------------------------------------------------------

    def test_events_are_stored_under_the_names_and_versions_they_were_declared_with(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), Measured("s", 0))
        (stored,) = log.stored()
        assert [item["type"] for item in msgspec.json.decode(stored.events)] == [
            "TopicCreated",
            "odradek.testing.Measured",
        ]
        assert log.codec.metadata(stored).types == (("TopicCreated", 1), ("odradek.testing.Measured", 1))

    def test_an_event_of_an_older_version_and_name_is_read_and_found_as_the_current_type(self, log: LogStore) -> None:
        before, now = Catalogue(), Catalogue()

        @event("testing.CashMoved", version=1, tags=("account:{account}",), catalogue=before)
        class CashMoved(msgspec.Struct, frozen=True):
            account: str
            amount: int

        @event(
            "testing.MoneyMoved",
            version=3,
            formerly=("testing.CashMoved",),
            upcasters=(Upcaster(1).rename("amount", "cents"), Upcaster(2).add("currency", "EUR")),
            tags=("account:{account}", "currency:{currency}"),
            catalogue=now,
        )
        class MoneyMoved(msgspec.Struct, frozen=True):
            account: str
            cents: int
            currency: str

        log.codec = Codec(before)
        append(log, "account/a", CashMoved("a", 500))
        log.codec = Codec(now)
        append(log, "account/a", MoneyMoved("a", 70, "GBP"))
        append(log, "account/b", MoneyMoved("b", 80, "EUR"))
        assert [r.event for r in log.read(stream="account/a")] == [
            MoneyMoved("a", 500, "EUR"),
            MoneyMoved("a", 70, "GBP"),
        ]
        assert [r.metadata.schema_version for r in log.read()] == [1, 3, 3]
        assert positions(log, types=["testing.MoneyMoved"]) == [0, 1, 2]
        assert positions(log, tags=["account:a"]) == [0, 1]
        assert positions(log, types=["testing.MoneyMoved"], tags=["currency:EUR"]) == [0, 2]

    # -- unknown types ------------------------------------------------------------------------------------------------

    def test_an_unknown_type_raises_an_error_with_its_type_and_position(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"))
        append(log, "topic/a", created("a"), produced(0, "a"))
        log.codec = codec_that_knows(TopicCreated)
        with pytest.raises(UnknownEventType, match="position 2 is a 'MessageProduced' version 1"):
            list(log.read())
        with pytest.raises(UnknownEventType):
            list(log.commits())

    def test_an_unknown_type_does_not_stop_a_read_that_does_not_reach_it(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"), created("a"))
        log.codec = codec_that_knows(TopicCreated)
        assert positions(log, until=0) == [0]
        assert positions(log, types=["TopicCreated"]) == [0, 2]

    def test_an_opaque_read_returns_unknown_types_as_stored(self, log: LogStore) -> None:
        append(log, "topic/a", created("a"), produced(0, "a"))
        log.codec = codec_that_knows(TopicCreated)
        first, second = log.read(opaque=True)
        assert first.event == created("a")
        assert isinstance(second.event, OpaqueEvent)
        assert (second.type, second.metadata.schema_version) == ("MessageProduced", 1)
        assert msgspec.json.decode(second.event.raw)["message_id"] == "m0"
        assert [type(item) for commit in log.commits(opaque=True) for item in commit.events][1] is OpaqueEvent
