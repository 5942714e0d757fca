"""Mistakes in a user's own model: each is an error where it is made, at once, and the actor goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from odradek import ActorSystem, Aggregate, Append, EventSourcedActor, MemoryLog, SqliteLog, event, verify
from odradek.testing import ActorKit, given
from odradek_domain.errors import NoApplier
from odradek_events.errors import SchemaMismatch, UnknownEventType, UpcasterFailed
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.schema.upcasters import Upcaster

T = datetime(2024, 5, 1, tzinfo=UTC)


@event("test.mistakes.Added")
class Added(msgspec.Struct, frozen=True):
    number: int


@event("test.mistakes.Noted")
class Noted(msgspec.Struct, frozen=True):
    note: str


@event("test.mistakes.Forgotten")
class Forgotten(msgspec.Struct, frozen=True):
    note: str


class Counter(Aggregate):
    """A sum of numbers. A note changes nothing; that it forgets is a mistake."""

    total = 0

    def _added(self, event: Added) -> None:
        self.total += event.number

    appliers: ClassVar = {Added: _added}
    ignores: ClassVar = (Noted,)


class CounterActor(EventSourcedActor[Counter]):
    """Returns what a command holds as its decision."""

    def initial_state(self) -> Counter:
        return Counter()

    def decide(self, command: Any) -> Any:
        return command

    def answer(self, query: Any) -> int:
        return self.state.total


@pytest.fixture
def counter() -> Any:
    """Give a handle to a counter."""
    with ActorSystem.open(actors={"counter": CounterActor}) as system:
        yield system.actor("counter/a")


# -- events without an applier ----------------------------------------------------------------------------------------


def test_an_event_without_an_applier_is_refused_and_the_actor_goes_on(counter: Any) -> None:
    with pytest.raises(NoApplier) as caught:
        counter.ask([Added(1), Forgotten("x")]).result(5)
    assert str(caught.value) == (
        "Counter decided a Forgotten, for which it has no applier; add one to Counter.appliers, or list Forgotten in "
        "Counter.ignores"
    )
    assert counter.query(None).result(5) == 0
    assert counter.ask([Added(2), Noted("y")]).result(5) == 1
    assert counter.query(None).result(5) == 2


def test_both_kits_refuse_an_event_without_an_applier() -> None:
    said = "Counter decided a Forgotten, for which it has no applier"
    with ActorKit(CounterActor, "counter/a") as kit:
        with pytest.raises(AssertionError, match=said):
            kit.send([Forgotten("x")])
        assert kit.send([Noted("y")]).events == [Noted("y")]
    with pytest.raises(AssertionError, match=said):
        given(Counter()).when(lambda _: [Forgotten("x")])


def test_foreign_events_are_folded_silently() -> None:
    counter = Counter()
    counter.apply_all([Added(1), Forgotten("x")])
    assert (counter.total, counter.version) == (1, 1)


# -- what decide returns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decided", [Added(1), [Added(1)], (Added(1),)])
def test_a_decision_is_an_event_or_several_for_the_actor_and_for_both_kits(counter: Any, decided: object) -> None:
    assert counter.ask(decided).result(5) == 0
    with ActorKit(CounterActor, "counter/a") as kit:
        assert kit.send(decided).events == [Added(1)]
    given(Counter()).when(lambda _: decided).then(Added(1))


@pytest.mark.parametrize("decided", [None, [], ()])
def test_a_decision_may_be_empty_for_the_actor_and_for_both_kits(counter: Any, decided: object) -> None:
    assert counter.ask(decided).result(5) == -1
    with ActorKit(CounterActor, "counter/a") as kit:
        assert kit.send(decided).events == []
    given(Counter()).when(lambda _: decided).then_nothing()


@pytest.mark.parametrize(
    ("decided", "what"), [(5, "5"), ("text", "'text'"), ([Added(1), 5], "5"), (Added, "<class '.*Added'>"), ({}, "{}")]
)
def test_any_other_decision_is_refused_by_the_actor_and_both_kits_in_the_same_words(
    counter: Any, decided: object, what: str
) -> None:
    said = f"^{what} is not an event; return an event, a list or tuple of events, or None"
    with pytest.raises(TypeError, match=said):
        counter.ask(decided).result(5)
    with ActorKit(CounterActor, "counter/a") as kit, pytest.raises(TypeError, match=said):
        kit.send(decided).result()
    with pytest.raises(AssertionError, match=said):
        given(Counter()).when(lambda _: decided)


# -- stored events that do not fit their class ------------------------------------------------------------------------


class Price(msgspec.Struct, frozen=True):
    price: int


class Cents(msgspec.Struct, frozen=True):
    cents: int


def codec_of(cls: type[Any], **how: Any) -> tuple[Codec, type[Any]]:
    catalogue = Catalogue()
    return Codec(catalogue), event("Priced", catalogue=catalogue, **how)(cls)


@pytest.fixture
def prices() -> MemoryLog:
    """Give a log with a price."""
    codec, priced = codec_of(Price)
    log = MemoryLog(codec)
    log.append([Append(stream="counter/a", events=[priced(5)])], T)
    return log


@pytest.mark.parametrize(
    ("codec", "error", "said"),
    [
        (
            codec_of(Cents)[0],
            SchemaMismatch,
            "event type 'Priced' version 1 at position 0 has no field 'cents'; declare version 2 with an Upcaster",
        ),
        (codec_of(Cents, version=2, upcasters=[Upcaster(1)])[0], UpcasterFailed, "fix its upcasters"),
        (Codec(Catalogue()), UnknownEventType, "import the module that declares it"),
    ],
    ids=["mismatch", "upcaster", "unknown"],
)
def test_an_actor_that_cannot_read_its_events_answers_with_the_mistake_at_once(
    prices: MemoryLog, codec: Codec, error: type[Exception], said: str
) -> None:
    prices.codec = codec
    with ActorSystem.open(prices, actors={"counter": CounterActor}, retry_backoff=60.0) as system:
        for _ in range(2):
            with pytest.raises(error, match=said):
                system.actor("counter/a").query(None).result(20)
        assert system.actor("counter/b").query(None).result(20) == 0


def test_verify_calls_the_log_sound_and_names_the_mistake(tmp_path: Path) -> None:
    codec, priced = codec_of(Price)
    with SqliteLog(tmp_path / "log.db", codec=codec) as log:
        log.append([Append(stream="counter/a", events=[priced(5)])], T)
    with SqliteLog(tmp_path / "log.db", codec=codec_of(Cents)[0]) as log:
        found = verify(log)
    assert found.is_sound
    assert [mistake.problem for mistake in found.model_mistakes] == [
        "event type 'Priced' version 1 at position 0 has no field 'cents'; declare version 2 with an Upcaster"
    ]
