"""Measure the seeded runtime: deliveries of a token ring, small worlds, and worlds with faults.

The ring is compared with a bare seeded loop over deques, which does nothing but pick, take and pass on; the two take
turns. Small worlds are compared with the time that the handlers, the clients and the opening of the system take by
themselves. All times are CPU times of the whole process; figures are medians over rounds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import SeededRuntime, World
from odradek_simulation.runtime.tasks import ActorTask

NODES = 10
TOKENS = 3


def bare_ring(deliveries: int) -> int:
    """Pass tokens round a ring in a plain loop; return the number of deliveries."""
    dice = random.Random(1).random
    inboxes: list[deque[int]] = [deque() for _ in range(NODES)]
    ready = list(range(TOKENS))
    for node in ready:
        inboxes[node].append(deliveries // TOKENS)
    count = 0
    while ready:
        node = ready.pop(int(dice() * len(ready)))
        left = inboxes[node].popleft()
        count += 1
        if inboxes[node]:
            ready.append(node)
        if left:
            follower = inboxes[(node + 1) % NODES]
            follower.append(left - 1)
            if len(follower) == 1:
                ready.append((node + 1) % NODES)
    return count


class Node(pykka.ThreadingActor):
    """Passes a token on."""

    delivered = 0

    def __init__(self) -> None:
        super().__init__()
        self.follower: pykka.ActorRef[Node]

    def on_receive(self, message: Any) -> None:
        """Take the ref of the follower, or a token."""
        if isinstance(message, pykka.ActorRef):
            self.follower = message
            return
        Node.delivered += 1
        if message:
            self.follower.tell(message - 1)


def seeded_ring(deliveries: int, *, trace: bool = False) -> int:
    """Pass tokens round a ring of actors on a seeded runtime; return the number of deliveries."""
    Node.delivered = 0
    runtime = SeededRuntime(1, trace=trace)
    nodes = [runtime.start(Node) for _ in range(NODES)]
    for node, follower in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        node.tell(follower)
    runtime.sleep(1.0)
    for node in nodes[:TOKENS]:
        node.tell(deliveries // TOKENS)
    runtime.sleep(1e6)
    return Node.delivered


def sell(system: ActorSystem, world: World) -> None:
    """Start a shop that sells once: with the four actors of the system, a producer and a topic make six."""

    def shop() -> None:
        system.producer("shop").send("orders", b"order").result()

    world.spawn(shop)


def trade(system: ActorSystem, world: World) -> None:
    """Start two shops and a group of two."""

    def shop(name: str) -> None:
        with system.producer(name) as producer:
            for number in range(5):
                producer.send("orders", f"{name} {number}".encode(), key=str(number)).result()

    def bill(name: str) -> None:
        with system.consumer(name, "billing") as consumer:
            consumer.subscribe(["orders"])
            for _ in range(8):
                consumer.poll(timeout=0.2)
                consumer.commit()

    for number in (1, 2):
        world.spawn(shop, f"shop-{number}")
        world.spawn(bill, f"bill-{number}")


def worlds(count: int, start: Any, **options: Any) -> tuple[int, int]:
    """Run worlds of successive seeds; return their number and their steps."""
    return count, sum(World(seed, **options).run(start).check().steps for seed in range(count))


class TimedRuntime(SeededRuntime):
    """Adds up what its actors' handlers take."""

    spent = 0.0

    def start(self, actor_class: type[Any], *args: Any) -> pykka.ActorRef[Any]:
        """Start an actor whose steps are timed."""
        ref = super().start(actor_class, *args)
        task: ActorTask = ref.actor_inbox.task  # type: ignore[attr-defined]  # a Mailbox
        self._time(task)
        return ref

    def _time(self, task: ActorTask) -> None:
        receive = task.receive

        def timed(message: Any) -> None:
            task.receive = receive
            began = time.perf_counter()
            receive(message)
            self.spent += time.perf_counter() - began
            self._time(task)

        task.receive = timed


def share_of_handlers(count: int) -> float:
    """Return how many times the handlers' own time a small system takes as a whole, from opening to closing."""
    spent = whole = 0.0
    for seed in range(count):
        began = time.perf_counter()
        runtime = TimedRuntime(seed)
        with ActorSystem.open(runtime=runtime) as system:
            system.producer("shop").send("orders", b"order").result()
        whole += time.perf_counter() - began
        spent += runtime.spent
    return whole / spent


def per_second(work: Callable[[], int]) -> float:
    """Return what `work` counts, per second of CPU time."""
    began = time.process_time()
    count = work()
    return count / (time.process_time() - began)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--deliveries", type=int, default=30_000)
    parser.add_argument("--worlds", type=int, default=200)
    options = parser.parse_args()
    rings: dict[str, list[float]] = {"bare loop": [], "seeded": [], "seeded, traced with reprs": []}
    rates: dict[str, list[float]] = {"small worlds": [], "worlds with faults": []}
    steps: dict[str, list[float]] = {"small worlds": [], "worlds with faults": []}
    shares = []
    for _ in range(options.rounds):
        rings["bare loop"].append(per_second(lambda: bare_ring(options.deliveries)))
        rings["seeded"].append(per_second(lambda: seeded_ring(options.deliveries)))
        traced = per_second(lambda: seeded_ring(options.deliveries, trace=True))
        rings["seeded, traced with reprs"].append(traced)
        for name, start, faults in (("small worlds", sell, "none"), ("worlds with faults", trade, "all")):
            count = options.worlds if faults == "none" else options.worlds // 5
            began = time.process_time()
            _, taken = worlds(count, start, faults=faults)
            spent = time.process_time() - began
            rates[name].append(count / spent)
            steps[name].append(taken / count)
        shares.append(share_of_handlers(options.worlds))
    bare = rings["bare loop"]
    for name, figures in rings.items():
        ratio = statistics.median(one / other for one, other in zip(figures, bare, strict=True))
        print(f"ring, {name:28} {statistics.median(figures):12,.0f} deliveries/s  {ratio:.3f} of the bare loop")
    for name, found in rates.items():
        count = statistics.median(steps[name])
        print(f"{name:34} {statistics.median(found):12,.0f} worlds/s of {count:,.0f} steps")
    print(f"a system from open to close takes  {statistics.median(shares):12.2f} times its handlers' own time")


if __name__ == "__main__":
    main()
