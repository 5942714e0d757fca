"""Reordered retry: of two batches on their way the first is refused, the second stored, and then the first again."""

from functools import partial
from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World


class BrokerActor(pykka.ThreadingActor):
    """Stores batches once it leads. If it `checks_sequence`, it takes each only after the one before."""

    def __init__(self, checks_sequence: bool) -> None:
        super().__init__()
        self.checks_sequence = checks_sequence
        self.is_leader = False
        self.batches: list[int] = []

    def on_receive(self, message: Any) -> Any:
        match message:
            case ("elect",):
                self.is_leader = True
            case ("append", number):
                if not self.is_leader or (self.checks_sequence and number != len(self.batches) + 1):
                    return "retry"
                self.batches.append(number)
            case _:
                pass  # only looks
        return list(self.batches)


def produce(world: World, broker: pykka.ActorRef[BrokerActor]) -> None:
    """Send two batches at once, and up to ten times those that the broker could not take."""
    waiting = [1, 2]
    for _ in range(10):
        answers = [(number, broker.ask(("append", number), block=False)) for number in waiting]
        waiting = [number for number, answer in answers if answer.get() == "retry"]
        if not waiting:
            return
        world.sleep(0.001)


def send(checks_sequence: bool, world: World) -> None:
    """Let the broker become the leader while the producer sends."""
    broker = world.start(BrokerActor, checks_sequence)

    def look() -> None:
        batches = broker.ask(("look",))
        assert batches == sorted(batches), f"the batches are stored in the order {batches}"

    world.spawn(partial(broker.ask, ("elect",)), name="controller")
    world.spawn(partial(produce, world, broker), name="producer")
    world.when_quiet(look, name="auditor")


def buggy(system: ActorSystem, world: World) -> None:
    send(False, world)


def fixed(system: ActorSystem, world: World) -> None:
    send(True, world)
