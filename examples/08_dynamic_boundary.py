"""A rule that spans aggregates: a student takes at most two courses, a course has at most two seats.

Neither the student's stream nor the course's can enforce the rule alone. Here the consistency boundary is the query
that the decision was based on: the append requires that no new event matches it (a dynamic consistency boundary,
dcb.events). Enrolments of other students in other courses do not conflict with it.
"""

from datetime import UTC, datetime

import msgspec

from odradek import Append, Appended, Condition, MemoryLog, Query, QueryItem, event


@event("Enrolled", tags=("student:{student}", "course:{course}"))
class Enrolled(msgspec.Struct, frozen=True):
    student: str
    course: str


def enrol(log: MemoryLog, student: str, course: str, *, meanwhile: tuple[str, str] | None = None) -> str:
    """Read, decide, and append on condition that no event has been stored that the decision did not see."""
    query = Query((QueryItem(("Enrolled",), (f"student:{student}",)), QueryItem(("Enrolled",), (f"course:{course}",))))
    head = log.head().position  # taken before the read: later events have not been seen
    known = [recorded.event for recorded in log.read(query=query)]
    if sum(one.student == student for one in known) >= 2:
        return "refused: two courses are enough"
    if sum(one.course == course for one in known) >= 2:
        return "refused: no seat is left"
    if meanwhile is not None:
        enrol(log, *meanwhile)
    request = Append(
        stream=f"enrolment/{student}-{course}",
        events=[Enrolled(student, course)],
        condition=Condition(query, after=head),
        commit_id=f"{student}-{course}",  # the same request, sent again, is stored only once
    )
    (verdict,) = log.append([request], datetime.now(UTC))
    if isinstance(verdict, Appended):
        return f"stored at position {verdict.first_position}"
    return f"not stored: {verdict.error}"


def main() -> None:
    """Enrol some students, two of them at the same time."""
    with MemoryLog() as log:
        print("ann in art:", enrol(log, "ann", "art"))
        print("bob in art, while cid is faster:", enrol(log, "bob", "art", meanwhile=("cid", "art")))
        print("bob in art, retried:", enrol(log, "bob", "art"))
        print("bob in law, while ann takes tai-chi:", enrol(log, "bob", "law", meanwhile=("ann", "tai-chi")))
        print("ann in law:", enrol(log, "ann", "law"))


if __name__ == "__main__":
    main()
