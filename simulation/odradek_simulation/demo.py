"""A demonstration: the process crashes in the middle of a rebalance, and a picture and a log show what came of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from odradek_actors.client.system import ActorSystem
from odradek_domain.errors import TopicAlreadyExists
from odradek_events.sqlite.log import SqliteLog
from odradek_pictures import Story
from odradek_simulation.explaining import Explanation, explain
from odradek_simulation.world.result import Result
from odradek_simulation.world.world import World

__all__ = ["Demonstration", "demonstrate"]

_ORDERS = 6
_MEMBERS = ("ann", "bob")


class Demonstration(msgspec.Struct, frozen=True):
    """What happened.

    result          of the run, still with its open log
    explanation     of the run, for a page
    position        the last one in the log when the process crashed
    sold, billed    the orders, in the order in which they were sold and billed
    """

    result: Result
    explanation: Explanation
    position: int
    sold: list[str]
    billed: list[str]

    @property
    def billed_twice(self) -> list[str]:
        """The orders that were billed again, because the crash came before their commit."""
        return [order for order in self.sold if self.billed.count(order) > 1]


class _Outside:
    """The world outside of the process, which remembers across its crash what was sold and billed."""

    def __init__(self) -> None:
        self.sold: list[str] = []
        self.billed: list[str] = []
        self.positions: list[int] = []

    def start(self, system: ActorSystem, world: World) -> None:
        """Open the shop and the billing: at the beginning, and again after the crash."""
        self.positions.append(system.log.head().position)
        with suppress(TopicAlreadyExists):
            system.create_topic("orders", 2)
        world.spawn(self._sell, system, name="shop")
        for number, member in enumerate(_MEMBERS):
            world.spawn(self._bill, system, world, member, 0.02 * number, name=member)

    def _sell(self, system: ActorSystem) -> None:
        with system.producer("shop") as producer:
            while len(self.sold) < _ORDERS:
                order = f"order {len(self.sold)}"
                producer.send("orders", order, key=order).result()
                self.sold.append(order)

    def _bill(self, system: ActorSystem, world: World, member: str, after: float) -> None:
        """Bill what comes, and commit it afterwards: at least once."""
        world.sleep(after)
        with system.consumer(member, "billing") as consumer:
            consumer.subscribe(["orders"])
            while len({*self.billed}) < _ORDERS:
                for order in consumer.poll(max_messages=2, timeout=0.05):
                    self.billed.append((order.value or b"").decode())
                    world.sleep(0.005)  # the customer reads the bill
                consumer.commit()


def demonstrate(log: Path) -> Demonstration:
    """Run the demonstration on a new log file: once to see when the rebalance begins, and once with the crash."""
    first = World(trace=True, strategy="fifo").run(_Outside().start).check()
    assert first.trace is not None, "the run was traced"
    begun = next(step.number for step in first.trace if step.message == "RebalanceBegun" and step.kind == "sent")
    recipe = replace(first.recording, faults="crash", struck=((begun, "crash", "", 0.0),))
    outside = _Outside()
    result = World.of(recipe, trace=True, log=SqliteLog(log)).run(outside.start).check()
    explanation = explain(result, lambda recipe: result)
    return Demonstration(
        result=result,
        explanation=replace(explanation, story=_marked(explanation.story)),
        position=outside.positions[1],
        sold=outside.sold,
        billed=outside.billed,
    )


def _marked(story: Story) -> Story:
    """Mark the beginning of the rebalance with A, and the crash with B."""
    marks = {"RebalanceBegun": "A", "crash": "B"}
    steps = list(story.steps)
    for place, step in enumerate(steps):
        mark = marks.pop(step.label, "")
        if mark:
            steps[place] = replace(step, mark=mark)
    return replace(story, title="A crash in the middle of a rebalance", steps=tuple(steps))
