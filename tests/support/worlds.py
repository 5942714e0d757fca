"""Small worlds that several tests run, and a program that prints the digests of their runs.

python -m support.worlds digests threads chaos 0 20          one line of JSON: a digest for each run
python -m support.worlds steps greenlets chaos 7 pct3        the steps of one run, one per line
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Literal

from odradek import ActorSystem
from odradek.simulation import Result, World, chaos
from odradek_simulation.choices.strategies import STRATEGIES, StrategyName

Switching = Literal["threads", "greenlets"]


def sell_and_bill(system: ActorSystem, world: World) -> None:
    """Start two shops and a group of two that bills their orders, as production code would: errors are retried."""

    def shop(name: str) -> None:
        with system.producer(name) as producer:
            for number in range(1 + world.draw(6)):
                producer.send("orders", f"{name} {number}".encode(), key=str(number)).result()

    def bill(name: str) -> None:
        with system.consumer(name, "billing", session_timeout=2.0, heartbeat_interval=0.2) as consumer:
            consumer.subscribe(["orders"])
            for _ in range(6):
                consumer.poll(timeout=0.2)
                consumer.commit()

    for number in (1, 2):
        world.spawn(shop, f"shop-{number}", name=f"shop-{number}")
        world.spawn(bill, f"bill-{number}", name=f"bill-{number}")


TARGETS: dict[str, Callable[[ActorSystem, World], None]] = {"small": sell_and_bill, "chaos": chaos}


def run(seed: int, strategy: StrategyName, switcher: Switching, target: str) -> Result:
    """Run a world once with all faults, and record every step."""
    return World(seed, faults="all", strategy=strategy, switcher=switcher, trace=True).run(TARGETS[target])


def digests(switcher: Switching, target: str, seeds: range) -> dict[str, str]:
    """Return the digest of every step of each run."""
    found = {}
    for seed in seeds:
        strategy = STRATEGIES[seed % len(STRATEGIES)]
        result = run(seed, strategy, switcher, target)
        assert result.trace is not None
        found[f"{seed} {strategy}"] = result.trace.digest()
    return found


def lines(switcher: Switching, target: str, seed: int, strategy: StrategyName) -> list[str]:
    """Return the steps of one run, each as a line."""
    result = run(seed, strategy, switcher, target)
    assert result.trace is not None
    return [
        f"{step.number} {step.time:.6f} {step.task} {step.kind} {step.message} {step.peer} {step.text}"
        for step in result.trace
    ]


def main(arguments: list[str]) -> None:
    """Write digests or steps to the standard output."""
    what, switcher, target, *rest = arguments
    carrier: Switching = "greenlets" if switcher == "greenlets" else "threads"
    if what == "digests":
        sys.stdout.write(json.dumps(digests(carrier, target, range(int(rest[0]), int(rest[1])))))
    else:
        strategy = next(name for name in STRATEGIES if name == rest[1])
        sys.stdout.write("\n".join(lines(carrier, target, int(rest[0]), strategy)))


if __name__ == "__main__":
    main(sys.argv[1:])
