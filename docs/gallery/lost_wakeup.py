"""Lost wake-up: a consumer finds the queue empty and lies down, and the item that came in between wakes nobody."""

from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World


class QueueActor(pykka.ThreadingActor):
    """Gives its items to consumers, now or when they come. If it `looks_again`, it does so before it parks one."""

    def __init__(self, looks_again: bool) -> None:
        super().__init__()
        self.looks_again = looks_again
        self.items: list[str] = []
        self.parked: list[pykka.ActorRef[Any]] = []

    def on_receive(self, message: Any) -> None:
        match message:
            case ("put", item) if self.parked:
                self.parked.pop().tell(("item", item))
            case ("put", item):
                self.items.append(item)
            case ("take", consumer):
                consumer.tell(("item", self.items.pop()) if self.items else ("nothing",))
            case ("park", consumer) if self.looks_again and self.items:
                consumer.tell(("item", self.items.pop()))
            case ("park", consumer):
                self.parked.append(consumer)
            case _:
                raise LookupError(message)


class ConsumerActor(pykka.ThreadingActor):
    """Takes one item; if there is none, asks to be parked until one comes."""

    def __init__(self, queue: pykka.ActorRef[QueueActor], received: list[str]) -> None:
        super().__init__()
        self.queue, self.received = queue, received

    def on_start(self) -> None:
        self.queue.tell(("take", self.actor_ref))

    def on_receive(self, message: Any) -> None:
        match message:
            case ("item", item):
                self.received.append(item)
            case _:
                self.queue.tell(("park", self.actor_ref))


def pass_an_item(looks_again: bool, world: World) -> None:
    """Let a producer and a consumer begin at the same time."""
    queue = world.start(QueueActor, looks_again)
    sent: list[str] = []
    received: list[str] = []
    world.start(ConsumerActor, queue, received)

    def produce() -> None:
        queue.tell(("put", "tea"))
        sent.append("tea")

    world.spawn(produce, name="producer")
    world.eventually(lambda _: received == sent, within=1.0, name="the item is received")


def buggy(system: ActorSystem, world: World) -> None:
    pass_an_item(False, world)


def fixed(system: ActorSystem, world: World) -> None:
    pass_an_item(True, world)
