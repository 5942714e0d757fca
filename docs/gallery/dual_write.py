"""Dual write: two editors write to a database and to a search index, and these end with different values."""

from typing import Any

import pykka

from odradek import ActorSystem
from odradek.simulation import World


class IndexActor(pykka.ThreadingActor):
    """Keeps the last value that it was given."""

    value = ""

    def on_receive(self, message: Any) -> str:
        if message[0] == "set":
            self.value = message[1]
        return self.value


class DatabaseActor(IndexActor):
    """Keeps the last value too, and passes each one on to the index if that follows it."""

    def __init__(self, index: pykka.ActorRef[IndexActor] | None) -> None:
        super().__init__()
        self.index = index

    def on_receive(self, message: Any) -> str:
        if message[0] == "set" and self.index is not None:
            self.index.tell(message)
        return super().on_receive(message)


def edit(world: World, *, index_follows: bool) -> None:
    """Have two editors set the value, and compare the two stores when both are done."""
    index = world.start(IndexActor)
    database = world.start(DatabaseActor, index if index_follows else None)

    def write(editor: str) -> None:
        database.tell(("set", editor))
        if not index_follows:
            index.tell(("set", editor))

    def compare() -> None:
        stored, found = database.ask(("get",)), index.ask(("get",))
        assert stored == found, f"the database has the value of {stored}, and the index that of {found}"

    for editor in ("ann", "bob"):
        world.spawn(write, editor, name=editor)
    world.when_quiet(compare, name="auditor")


def buggy(system: ActorSystem, world: World) -> None:
    edit(world, index_follows=False)


def fixed(system: ActorSystem, world: World) -> None:
    edit(world, index_follows=True)
