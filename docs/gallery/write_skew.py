"""Write skew: two doctors on call each see that the other one stays, and both go home."""

from typing import Any, ClassVar

import msgspec

from odradek import ActorSystem, Aggregate, DecisionModel, EventSourcedActor, Query, QueryItem, SystemState, event
from odradek.simulation import World, simulate


@event("DoctorWentHome")
class DoctorWentHome(msgspec.Struct, frozen=True):
    doctor: str


class OffDuty(Aggregate):
    """The doctors that went home: of one stream its own doctor, of all streams all."""

    doctors: tuple[str, ...] = ()

    def _went_home(self, event: DoctorWentHome) -> None:
        self.doctors = (*self.doctors, event.doctor)

    appliers: ClassVar = {DoctorWentHome: _went_home}


class DoctorActor(EventSourcedActor[OffDuty]):
    def initial_state(self) -> OffDuty:
        return OffDuty()

    def decide(self, command: str) -> DoctorWentHome:
        return DoctorWentHome(self.id)

    def answer(self, query: str) -> bool:
        return bool(self.state.doctors)

    def reads(self, command: str) -> DecisionModel | None:
        """Decide on the events of all doctors, so that the log refuses the decision if one of them is newer."""
        everybody = DecisionModel(Query((QueryItem(("DoctorWentHome",)),)), OffDuty)
        return everybody if command == "go home if another stays" else None

    def decide_on(self, command: str, state: Any) -> DoctorWentHome | None:
        return None if state.doctors else DoctorWentHome(self.id)


def ask_and_leave(system: ActorSystem, doctor: str, other: str) -> None:
    if not system.actor(f"doctor/{other}").query("is home?").result():
        system.actor(f"doctor/{doctor}").ask("go home").result()


def leave_if_another_stays(system: ActorSystem, doctor: str, other: str) -> None:
    system.actor(f"doctor/{doctor}").ask("go home if another stays").result()


def a_doctor_is_on_call(state: SystemState) -> bool:
    return sum(len(each.doctors) for each in state.own_aggregates.values()) < 2


@simulate(faults="none", actors={"doctor": DoctorActor})
def buggy(system: ActorSystem, world: World) -> None:
    world.always(a_doctor_is_on_call)
    world.spawn(ask_and_leave, system, "ann", "bob", name="ann")
    world.spawn(ask_and_leave, system, "bob", "ann", name="bob")


@simulate(faults="none", actors={"doctor": DoctorActor})
def fixed(system: ActorSystem, world: World) -> None:
    world.always(a_doctor_is_on_call)
    world.spawn(leave_if_another_stays, system, "ann", "bob", name="ann")
    world.spawn(leave_if_another_stays, system, "bob", "ann", name="bob")
