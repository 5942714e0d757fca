"""Early acknowledgement: a desk accepts an order before it is stored, and a crash comes in between."""

from typing import Any, ClassVar

import msgspec

from odradek import ActorSystem, Aggregate, EventSourcedActor, SystemState, event
from odradek.simulation import World, simulate


@event("OrderAccepted")
class OrderAccepted(msgspec.Struct, frozen=True):
    order: int


class Orders(Aggregate):
    accepted: tuple[int, ...] = ()

    def _accepted(self, event: OrderAccepted) -> None:
        self.accepted = (*self.accepted, event.order)

    appliers: ClassVar = {OrderAccepted: _accepted}


class DeskActor(EventSourcedActor[Orders]):
    """Answers once the event is stored, as every EventSourcedActor does."""

    def initial_state(self) -> Orders:
        return Orders()

    def decide(self, order: int) -> OrderAccepted:
        return OrderAccepted(order)


class HastyDeskActor(DeskActor):
    """Answers at once, and stores the event afterwards."""

    def handle_command(self, command: Any) -> None:
        self.reply(command, "accepted")
        super().handle_command(command)


def sell(system: ActorSystem, world: World) -> None:
    """Have a customer order up to four times, and remember outside of the system what the desk has accepted."""
    accepted: list[int] = world.remembered.setdefault("accepted", [])

    def order() -> None:
        for number in range(len(accepted), 1 + world.draw(4)):
            system.actor("order-desk/main").ask(number).result()
            accepted.append(number)

    def every_accepted_order_is_stored(state: SystemState) -> None:
        stored = [order for desk in state.own_aggregates.values() for order in desk.accepted]
        assert set(accepted) <= set(stored), f"the orders {accepted} were accepted, and {stored} are stored"

    world.spawn(order, name="customer")
    world.at_end(every_accepted_order_is_stored)


@simulate(faults="crash", actors={"order-desk": HastyDeskActor})
def buggy(system: ActorSystem, world: World) -> None:
    sell(system, world)


@simulate(faults="crash", actors={"order-desk": DeskActor})
def fixed(system: ActorSystem, world: World) -> None:
    sell(system, world)
