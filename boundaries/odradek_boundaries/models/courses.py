"""Course subscriptions: a course has a limited number of seats, and a student takes a limited number of courses.

The rule spans two things that would be aggregates: neither the course nor the student alone can keep it. After the
example of dcb.events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.read_sets import facts
from odradek_boundaries.workload import Draw, Workload
from odradek_events.schema.registry import event

__all__ = ["ChangeSeats", "CourseOpened", "Enrol", "Enrolled", "SeatsChanged", "model"]

_MOST_COURSES = 5


@event("courses.CourseOpened", tags=("course:{course}",))
class CourseOpened(msgspec.Struct, frozen=True):
    """A course was opened with so many seats."""

    course: str
    seats: int


@event("courses.SeatsChanged", tags=("course:{course}",))
class SeatsChanged(msgspec.Struct, frozen=True):
    """A course now has so many seats."""

    course: str
    seats: int


@event("courses.Enrolled", tags=("course:{course}", "student:{student}"))
class Enrolled(msgspec.Struct, frozen=True):
    """A student has a seat in a course."""

    course: str
    student: str


class Enrol(msgspec.Struct, frozen=True):
    """Give a student a seat in a course."""

    course: str
    student: str


class ChangeSeats(msgspec.Struct, frozen=True):
    """Change the number of seats of a course, but not below the number of students."""

    course: str
    seats: int


class _Enrolments:
    """The seats of courses, and who has them."""

    def __init__(self) -> None:
        self.seats: dict[str, int] = {}
        self.students: dict[str, list[str]] = {}
        self.courses: dict[str, list[str]] = {}

    def apply_all(self, events: Sequence[Any]) -> None:
        for fact in events:
            if isinstance(fact, Enrolled):
                self.students.setdefault(fact.course, []).append(fact.student)
                self.courses.setdefault(fact.student, []).append(fact.course)
            else:
                self.seats[fact.course] = fact.seats


def _enrol(known: _Enrolments, c: Enrol) -> Enrolled:
    students = known.students.get(c.course, [])
    if c.student in students:
        raise ValueError(f"{c.student} takes {c.course} already")
    if len(students) >= known.seats.get(c.course, 0):
        raise ValueError(f"{c.course} is full")
    if len(known.courses.get(c.student, [])) >= _MOST_COURSES:
        raise ValueError(f"{c.student} takes {_MOST_COURSES} courses already")
    return Enrolled(c.course, c.student)


def _change_seats(known: _Enrolments, c: ChangeSeats) -> SeatsChanged:
    if c.seats < len(known.students.get(c.course, [])):
        raise ValueError(f"{c.course} has more students")
    return SeatsChanged(c.course, c.seats)


def model(*, courses: int = 20, seats: int = 60, students: int = 500, skew: float = 0.7, count: int = 2000) -> Model:
    """Return the model. Courses are drawn by Zipf with this skew."""
    lab = Lab(*(CourseOpened(f"c{number}", seats) for number in range(courses)))
    lab.decides(
        Enrol,
        reads=lambda c: (
            facts(CourseOpened, SeatsChanged, Enrolled, course=c.course) | facts(Enrolled, student=c.student)
        ),
        state=lambda c: _Enrolments(),
    )(_enrol)
    lab.decides(
        ChangeSeats,
        reads=lambda c: facts(CourseOpened, SeatsChanged, Enrolled, course=c.course),
        state=lambda c: _Enrolments(),
    )(_change_seats)

    @lab.draw
    def enrol(r: Draw) -> Enrol:
        return Enrol(f"c{r.zipf(courses, skew)}", f"s{r.randrange(students)}")

    @lab.draw
    def change_seats(r: Draw) -> ChangeSeats:
        return ChangeSeats(f"c{r.zipf(courses, skew)}", r.randrange(seats // 2, 2 * seats))

    @lab.always(per="course", state=_Enrolments)
    def everybody_has_a_seat(known: _Enrolments) -> bool:
        return all(len(students) <= known.seats[course] for course, students in known.students.items())

    @lab.always(per="student", state=_Enrolments)
    def nobody_takes_too_many_courses(known: _Enrolments) -> bool:
        return all(len(courses) <= _MOST_COURSES for courses in known.courses.values())

    boundaries = (
        Boundary("one unit"),
        Boundary("course and student, all read", by=("course", "student")),
        Boundary("course, one per transaction", by=("course", "student"), checks="unit"),
        Boundary("a query per decision", checks="facts"),
    )
    workload = Workload({enrol: 95.0, change_seats: 5.0}, count=count, per_second=400.0, service_ms=2.0)
    return Model(lab, boundaries, workload)
