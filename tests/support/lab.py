"""Small models for tests of the boundary lab."""

from __future__ import annotations

from typing import Any

import msgspec

from odradek_boundaries import Boundary, Lab, Workload, facts
from odradek_boundaries.run import Counts, run
from odradek_events import event

__all__ = [
    "Bump",
    "Bumped",
    "CourseOpened",
    "Enrol",
    "Enrolled",
    "bumps",
    "counters",
    "courses",
    "enrolments",
    "ran",
]


@event("LabBumped", tags=("unit:{unit}",))
class Bumped(msgspec.Struct, frozen=True):
    """A counter was increased."""

    unit: int
    to: int


class Bump(msgspec.Struct, frozen=True):
    """Increase a counter."""

    unit: int


def counters() -> Lab:
    """Return a model of counters that do not depend on each other."""
    lab = Lab()
    lab.decides(Bump, reads=lambda c: facts(Bumped, unit=c.unit))(lambda known, c: Bumped(c.unit, len(known)))
    return lab


def bumps(units: int, skew: float = 0.0, **numbers: Any) -> Workload:
    """Return a workload on this many counters."""
    return Workload({lambda r: Bump(r.zipf(units, skew)): 1}, **numbers)


def ran(lab: Lab, boundary: Boundary, workload: Workload, seed: int = 1) -> Counts:
    """Run a workload once."""
    return run(lab.rules, boundary, workload, seed)


@event("LabCourseOpened", tags=("course:{course}",))
class CourseOpened(msgspec.Struct, frozen=True):
    """A course has this many seats."""

    course: str
    seats: int


@event("LabEnrolled", tags=("course:{course}", "student:{student}"))
class Enrolled(msgspec.Struct, frozen=True):
    """A student has a seat in a course."""

    course: str
    student: str


class Enrol(msgspec.Struct, frozen=True):
    """Give a student a seat in a course."""

    course: str
    student: str


def courses(count: int = 12, seats: int = 30) -> Lab:
    """Return the model of course subscriptions: a student takes at most five courses, a course has so many seats."""
    lab = Lab(*(CourseOpened(f"c{number}", seats) for number in range(count)))

    @lab.decides(
        Enrol, reads=lambda c: facts(CourseOpened, Enrolled, course=c.course) | facts(Enrolled, student=c.student)
    )
    def enrol(known: list[Any], c: Enrol) -> Enrolled:
        taken = [fact for fact in known if isinstance(fact, Enrolled)]
        (opened,) = (fact for fact in known if isinstance(fact, CourseOpened) and fact.course == c.course)
        if sum(fact.course == c.course for fact in taken) >= opened.seats:
            raise ValueError("full")
        if sum(fact.student == c.student for fact in taken) >= 5:
            raise ValueError("too many courses")
        if Enrolled(c.course, c.student) in taken:
            raise ValueError("enrolled already")
        return Enrolled(c.course, c.student)

    @lab.always(per="course")
    def nobody_stands(known: list[Any]) -> bool:
        opened, *enrolled = known
        return len(enrolled) <= int(opened.seats)

    @lab.always(per="student")
    def nobody_is_overworked(known: list[Any]) -> bool:
        return len(known) <= 5

    return lab


def enrolments(count: int = 1000, courses: int = 12, students: int = 90, **numbers: Any) -> Workload:
    """Return a workload of enrolments."""
    mix = {lambda r: Enrol(f"c{r.zipf(courses)}", f"s{r.randrange(students)}"): 1}
    return Workload(mix, count=count, **{"per_second": 2000, "service_ms": 2, **numbers})
