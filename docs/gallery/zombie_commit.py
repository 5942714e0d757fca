"""Zombie commit: a member whose partition went to another one still commits, and the group goes back."""

from functools import partial
from typing import Any, cast

import pykka

from odradek import ActorSystem
from odradek.simulation import World


class CoordinatorActor(pykka.ThreadingActor):
    """Gives the partition to the member that joined last, in a new generation, and keeps the committed offsets."""

    def __init__(self, is_fencing: bool) -> None:
        super().__init__()
        self.is_fencing = is_fencing
        self.generation = 0
        self.committed = [0]

    def on_receive(self, message: Any) -> Any:
        match message:
            case ("join",):
                self.generation += 1
                return self.generation, self.committed[-1]
            case ("commit", generation, offset):
                if self.is_fencing and generation != self.generation:
                    return "fenced"
                self.committed.append(offset)
            case _:
                pass  # only looks
        return list(self.committed)


def read(coordinator: pykka.ActorRef[CoordinatorActor]) -> None:
    """Join, process two messages, and commit after each. A member that is fenced stops."""
    generation, offset = cast("tuple[int, int]", coordinator.ask(("join",)))
    for number in (1, 2):
        if coordinator.ask(("commit", generation, offset + number)) == "fenced":
            return


def share_a_partition(is_fencing: bool, world: World) -> None:
    """Start two members. The second one takes the partition over, and the first does not know it yet."""
    coordinator = world.start(CoordinatorActor, is_fencing)

    def check_commits() -> None:
        committed = coordinator.ask(("list",))
        assert committed == sorted(committed), f"the committed offset went back: {committed}"

    for member in ("member-1", "member-2"):
        world.spawn(partial(read, coordinator), name=member)
    world.when_quiet(check_commits, name="auditor")


def buggy(system: ActorSystem, world: World) -> None:
    share_a_partition(False, world)


def fixed(system: ActorSystem, world: World) -> None:
    share_a_partition(True, world)
