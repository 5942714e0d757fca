"""Where should an aggregate end? The same enrolments under three consistency boundaries, and what each costs.

A student takes at most five courses, and a course has 30 seats. The decision is written once; a boundary says what its
append checks: everything, the course, or exactly what the decision has read.
"""

import msgspec

from odradek import event
from odradek.boundaries import Boundary, Lab, Workload, facts


@event("CourseOpened", tags=("course:{course}",))
class CourseOpened(msgspec.Struct, frozen=True):
    course: str
    seats: int


class Enrol(msgspec.Struct, frozen=True):
    course: str
    student: str


@event("Enrolled", tags=("course:{course}", "student:{student}"))
class Enrolled(Enrol, frozen=True):
    pass


lab = Lab(*(CourseOpened(f"c{n}", seats=30) for n in range(12)))


@lab.decides(Enrol, reads=lambda c: facts(CourseOpened, Enrolled, course=c.course) | facts(Enrolled, student=c.student))
def enrol(known: list[CourseOpened | Enrolled], c: Enrol) -> Enrolled:
    taken = [fact for fact in known if isinstance(fact, Enrolled)]
    seats = next(fact.seats for fact in known if isinstance(fact, CourseOpened))
    if sum(fact.course == c.course for fact in taken) >= seats or sum(fact.student == c.student for fact in taken) >= 5:
        raise ValueError("no seat is left, or the student takes five courses")
    return Enrolled(c.course, c.student)


BOUNDARIES = [Boundary("one unit"), Boundary("course", ("course",), "unit"), Boundary("a query each", checks="facts")]
ENROLLING = Workload(
    {lambda r: Enrol(f"c{r.zipf(12)}", f"s{r.randrange(20)}"): 1}, count=400, per_second=400, service_ms=2
)


def main() -> None:
    """Print which boundary keeps the decision, without a run; then run it under each."""
    matrix = lab.explain(BOUNDARIES, ENROLLING)
    for name, cell in zip(matrix.boundaries, matrix.rows["Enrol"], strict=True):
        print(f"{name} {'keeps' if cell.is_kept else 'does not keep'} the decision")
    study = lab.compare(BOUNDARIES, ENROLLING, seeds=2)
    for name in study.boundaries:
        conflicts, exposed, ceiling = (study.spread(name, each) for each in ("conflict_share", "exposed", "ceiling"))
        print(f"{name}: {conflicts.mean:.0f} % conflicts, {exposed.mean} exposed, ceiling {ceiling.mean:.1f}")


if __name__ == "__main__":
    main()
