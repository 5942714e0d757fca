"""Actors that decide on facts of other streams keep their rule on the seeded runtime, whatever fails."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import msgspec
import pytest

from odradek import ActorSystem, Aggregate, DecisionModel, EventSourcedActor, MemoryLog, Query, QueryItem, event
from odradek.simulation import World
from odradek_simulation.world.result import Result

SEATS = 3
STUDENTS = 5


@event("test.SeatBooked", tags=("course:{course}",))
class SeatBooked(msgspec.Struct, frozen=True):
    student: str
    course: str


class Bookings(Aggregate):
    """The seats that an event's reader knows of."""

    count = 0

    def _booked(self, event: SeatBooked) -> None:
        self.count += 1

    appliers: ClassVar = {SeatBooked: _booked}


class Full(Exception):
    pass


class StudentActor(EventSourcedActor[Bookings]):
    """Books a seat of a course, if one is left."""

    def initial_state(self) -> Bookings:
        return Bookings()

    def reads(self, course: str) -> DecisionModel:
        return DecisionModel(Query((QueryItem(("test.SeatBooked",), (f"course:{course}",)),)), Bookings)

    def decide_on(self, course: str, bookings: Bookings) -> SeatBooked:
        if bookings.count >= SEATS:
            raise Full(course)
        return SeatBooked(self.id, course)


def enrol(system: ActorSystem, outcomes: list[bool], student: str) -> None:
    """Try to book a seat in each course, and note whether it was booked."""
    for course in ("art", "law"):
        try:
            system.actor(f"student/{student}").ask(course).result(120)
            outcomes.append(True)
        except Full:
            outcomes.append(False)


def race(seed: int, faults: str) -> tuple[Result, list[int], list[bool]]:
    """Let students race for seats; return the result, the seats booked in each course, and the clients' outcomes."""
    outcomes: list[bool] = []

    def start(system: ActorSystem, world: World) -> None:
        for number in range(STUDENTS):
            world.spawn(partial(enrol, system, outcomes), f"s{number}", name=f"client {number}")

    with MemoryLog() as log:
        result = World(seed, faults=faults, log=log, actors={"student": StudentActor}).run(start)
        booked = [len(list(log.read(tags=[f"course:{course}"]))) for course in ("art", "law")]
    return result, booked, outcomes


@pytest.mark.parametrize("seed", range(8))
def test_exactly_the_seats_there_are_are_booked_in_every_order(seed: int) -> None:
    result, booked, outcomes = race(seed, "none")
    result.check()
    assert booked == [SEATS, SEATS]
    assert outcomes.count(True) == 2 * SEATS


@pytest.mark.parametrize("seed", range(24))
def test_no_seat_is_booked_twice_whatever_fails(seed: int) -> None:
    result, booked, _ = race(seed, "all")
    result.check()
    assert max(booked) <= SEATS
