"""An actor that decides on facts beyond its own stream: students race for the two seats of a course.

Each student has an actor and a stream; none knows how many seats are left. `reads` names the events that the decision
needs, and what folds them. The system reads them, calls `decide_on`, and appends on condition that no other such event
was stored meanwhile. If one was, it reads on and decides again. Example 08 does the same by hand.
"""

from typing import ClassVar

import msgspec

from odradek import ActorSystem, Aggregate, DecisionModel, EventSourcedActor, Query, QueryItem, event


@event("SeatTaken", tags=("course:{course}",))
class SeatTaken(msgspec.Struct, frozen=True):
    student: str
    course: str


class Seats(Aggregate):
    """The seats that a student, or a course, has taken so far."""

    taken: tuple[SeatTaken, ...] = ()

    def _taken(self, event: SeatTaken) -> None:
        self.taken = (*self.taken, event)

    appliers: ClassVar = {SeatTaken: _taken}


class StudentActor(EventSourcedActor[Seats]):
    def initial_state(self) -> Seats:
        return Seats()

    def reads(self, course: str) -> DecisionModel:
        return DecisionModel(Query((QueryItem(("SeatTaken",), (f"course:{course}",)),)), Seats)

    def decide_on(self, course: str, seats: Seats) -> SeatTaken:
        if len(seats.taken) >= 2:
            raise ValueError(f"{course} is full: {', '.join(seat.student for seat in seats.taken)}")
        return SeatTaken(self.id, course)


def main() -> None:
    """Let ann and bob race for the last seat in art."""
    with ActorSystem.open(actors={"student": StudentActor}) as system:
        print("cid in art: version", system.actor("student/cid").ask("art").result())
        race = [system.actor(f"student/{name}").ask("art") for name in ("ann", "bob")]
        errors = [promise.exception() for promise in race]
        print("of ann and bob in art:", errors.count(None))
        print("refused:", *filter(None, errors))
        print("ann in law: version", system.actor("student/ann").ask("law").result())


if __name__ == "__main__":
    main()
