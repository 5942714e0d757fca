"""Correlation and causation: what the log says about who asked for what, and because of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from support.actors import World

from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.client.system import ActorSystem
from odradek_actors.messages.core import Command, LookUp
from odradek_domain.aggregate import Aggregate
from odradek_domain.replay.message_trace import follow_messages
from odradek_events import event
from odradek_events.record import EventMetadata
from odradek_events.trace import trace


@event("test.Ordered", version=1)
class Ordered(msgspec.Struct, frozen=True):
    item: str


@event("test.Shipped", version=1)
class Shipped(msgspec.Struct, frozen=True):
    item: str


class Nothing(Aggregate):
    def _nothing(self, _: Any) -> None:
        """Any event will do."""

    appliers = {Ordered: _nothing, Shipped: _nothing}


class Shipment(EventSourcedActor[Nothing]):
    def initial_state(self) -> Nothing:
        return Nothing()

    def decide(self, command: str) -> Sequence[Any]:
        return [Shipped(command)]


class Order(EventSourcedActor[Nothing]):
    """Orders, and has it shipped by another; what is urgent it has shipped without an event of its own."""

    def initial_state(self) -> Nothing:
        return Nothing()

    def handle_command(self, command: Command) -> None:
        events = [Ordered("paper"), Ordered(command.body)]
        if command.body == "urgent":
            events = []
        self.persist(events, (command,), lambda _: self._ship(command, lambda answer: self.reply(command, answer)))

    def _ship(self, command: Command, then: Any) -> None:
        self.request(
            self.context.directory,
            LookUp("shipment/1"),
            lambda ref: self.request(ref, command.body, then, command=command),
        )


def metadata(world: World, kind: str) -> EventMetadata:
    """Return the metadata of the first event of a type."""
    return next(world.log.read(types=[kind])).metadata


def test_a_send_is_the_cause_of_all_that_was_done_for_it(world: World) -> None:
    with world.open().producer("till") as producer:
        producer.send("orders", "tea", correlation_id="order-17").result()

    found = trace(world.log, "order-17")
    (send,) = found.decisions
    assert [item.recorded.type for item in send.events] == ["MessageProduced"]
    assert {item.recorded.type for other in send.on_behalf for item in other.events} == {
        "ProducerRegistered",
        "TopicCreated",
    }
    assert {other.causation_id for other in send.on_behalf} == {"order-17"}


def test_a_new_epoch_has_the_send_that_started_it_as_its_cause(world: World) -> None:
    with world.open() as system, system.producer("till") as producer:
        producer.send("orders", "tea").result()
    with world.open() as system, system.producer("till") as producer:
        producer.send("orders", "tea", correlation_id="order-18").result()

    (send,) = trace(world.log, "order-18").decisions
    assert [item.recorded.type for item in send.on_behalf[0].events][-1] == "ProducerEpochBumped"


def test_a_send_can_name_the_event_that_caused_it(world: World) -> None:
    system = world.open()
    with system.producer("till") as producer:
        first = producer.send("orders", "tea", correlation_id="order-17").result()
        cause = next(world.log.read(after=first.position - 1)).metadata
        producer.send_batch(
            "shipments", ["tea"], correlation_id=cause.correlation_id, causation_id=cause.event_id
        ).result()

    (send,) = trace(world.log, "order-17").decisions
    assert [[item.recorded.type for item in caused.events] for caused in send.events[0].caused] == [
        ["TopicCreated"],
        ["MessageProduced"],
    ]


def test_a_commit_has_the_correlation_id_of_its_poll(world: World) -> None:
    system = world.open()
    with system.producer("till") as producer:
        receipt = producer.send("orders", "tea", correlation_id="order-17").result()
    for name, group in (("billing-1", "billing"), ("alone", None)):
        with system.consumer(name, group) as consumer:
            consumer.subscribe(["orders"])
            assert consumer.poll(timeout=10)
            assert consumer.poll(timeout=0) == []  # begins nothing that a commit could go on with
            consumer.commit()

    (send,) = trace(world.log, "order-17", follow=follow_messages).decisions
    assert send.events[0].recorded.position == receipt.position
    for consumed, owner in zip(send.events[0].followed_by, ("group/billing", "consumer/alone"), strict=True):
        (commit,) = consumed.followed_by
        assert commit.recorded.event.owner == owner
        polled = consumed.recorded.metadata.correlation_id
        assert commit.recorded.metadata.correlation_id == commit.recorded.metadata.causation_id == polled
        (poll,) = [item for item in trace(world.log, polled).decisions if item.events[0].recorded.type != "OffsetReset"]
        assert [item.events[0].recorded.position for item in poll.on_behalf] == [commit.recorded.position]


def test_an_actor_that_asks_another_names_the_event_it_has_just_stored(world: World) -> None:
    system = world.open(actors={"order": Order, "shipment": Shipment})
    assert system.actor("order/1").ask("tea", correlation_id="order-17").result() == 0

    (order,) = trace(world.log, "order-17").decisions
    assert [
        [item.recorded.type for item in event.caused[0].events] if event.caused else [] for event in order.events
    ] == [
        [],
        ["test.Shipped"],
    ]


def test_an_actor_that_asks_another_without_an_event_names_the_command_that_began_it(world: World) -> None:
    system: ActorSystem = world.open(actors={"order": Order, "shipment": Shipment})
    system.actor("order/1").ask("urgent", correlation_id="order-17").result()
    shipped = metadata(world, "test.Shipped")
    assert (shipped.correlation_id, shipped.causation_id) == ("order-17", "order-17")

    system.actor("order/2").ask("urgent", correlation_id="order-18", causation_id="e/0").result()
    *_, last = world.log.read(types=["test.Shipped"])
    assert (last.metadata.correlation_id, last.metadata.causation_id) == ("order-18", "e/0")
