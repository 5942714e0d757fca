"""An actor decides on facts beyond its stream, and on no outdated ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest
from support.actors import World

from odradek import ActorSystem, Aggregate, Append, DecisionModel, EventSourcedActor, MemoryLog, Query, QueryItem, event
from odradek.testing import ActorKit
from odradek_actors.base.decision_model import ModelStates
from odradek_actors.errors import ActorStopped, DecisionContended
from odradek_domain.errors import NoApplier
from odradek_events.errors import ConditionNotMet, LogFull, LogUnavailable, OutcomeUnknown
from odradek_events.log.faulty import FaultyLog
from odradek_events.record import Verdict

T = datetime(2024, 5, 1, tzinfo=UTC)


@event("test.Enrolled", tags=("student:{student}", "course:{course}"))
class Enrolled(msgspec.Struct, frozen=True):
    student: str
    course: str


@event("test.CourseRenamed", tags=("course:{course}",))
class CourseRenamed(msgspec.Struct, frozen=True):
    course: str


class Enrolments(Aggregate):
    """The students of the courses that a query selects."""

    def __init__(self) -> None:
        super().__init__()
        self.students: list[str] = []

    def _enrolled(self, event: Enrolled) -> None:
        if event.student == "spoiled":
            raise ArithmeticError("it cannot be folded")
        self.students.append(event.student)

    appliers: ClassVar = {Enrolled: _enrolled}


class Student(Aggregate):
    courses = 0

    def _enrolled(self, event: Enrolled) -> None:
        self.courses += 1

    appliers: ClassVar = {Enrolled: _enrolled}


class Enrol(msgspec.Struct, frozen=True):
    course: str
    seats: int = 2


class Count(msgspec.Struct, frozen=True):
    course: str


class Full(Exception):
    pass


def seats_of(course: str) -> DecisionModel:
    return DecisionModel(Query((QueryItem(("test.Enrolled",), (f"course:{course}",)),)), Enrolments)


class StudentActor(EventSourcedActor[Student]):
    """Enrols if the course has a seat left, which no student's stream says."""

    def initial_state(self) -> Student:
        return Student()

    def reads(self, command: Any) -> DecisionModel | None:
        return seats_of(command.course) if isinstance(command, Enrol | Count) else None

    def decide(self, command: Any) -> list[Enrolled]:
        return [Enrolled(self.id, command)]

    def decide_on(self, command: Any, facts: Enrolments) -> Any:
        if isinstance(command, Count):
            if command.course == "odd":
                return 5
            raise Full(f"{len(facts.students)} students")
        if len(facts.students) >= command.seats:
            raise Full(f"{command.course} has {len(facts.students)} students")
        return Enrolled(self.id, command.course) if command.seats < 1000 else CourseRenamed(command.course)

    def answer(self, query: Any) -> int:
        return self.state.courses


ACTORS = {"student": StudentActor}


def students_of(log: MemoryLog | Any, course: str) -> list[str]:
    return [recorded.event.student for recorded in log.read(types=["test.Enrolled"], tags=[f"course:{course}"])]


@pytest.fixture
def school(world: World) -> ActorSystem:
    """Give a system with students."""
    return world.open(actors=ACTORS)


def test_a_decision_sees_the_events_of_other_streams(world: World, school: ActorSystem) -> None:
    for student in ("ann", "bob"):
        assert school.actor(f"student/{student}").ask(Enrol("art")).result(5) == 0
    with pytest.raises(Full, match="art has 2 students"):
        school.actor("student/cid").ask(Enrol("art")).result(5)
    assert school.actor("student/cid").ask(Enrol("law")).result(5) == 0
    assert school.actor("student/ann").query(None).result(5) == 1
    assert students_of(world.log, "art") == ["ann", "bob"]
    school.settle()
    assert school.check_replay().holds


def test_a_command_without_a_model_is_decided_on_the_stream_alone(world: World, school: ActorSystem) -> None:
    for student in ("ann", "bob", "cid"):
        assert school.actor(f"student/{student}").ask("art").result(5) == 0
    assert students_of(world.log, "art") == ["ann", "bob", "cid"]


@pytest.mark.usefixtures("frequent_thread_switches")
def test_actors_that_race_never_break_the_rule(world: World, school: ActorSystem) -> None:
    actors = [school.actor(f"student/{number}") for number in range(12)]
    promises = [actor.ask(Enrol(course, 5)) for course in ("art", "law") for actor in actors]
    outcomes = [promise.exception(30) for promise in promises]
    assert sum(error is None for error in outcomes) == 10
    assert all(error is None or isinstance(error, Full) for error in outcomes)
    assert len(students_of(world.log, "art")) == len(students_of(world.log, "law")) == 5


def test_commands_that_arrive_meanwhile_are_handled_in_order(world: World, school: ActorSystem) -> None:
    ann = school.actor("student/ann")
    promises = [ann.ask(Enrol("art", 3)) for _ in range(5)] + [ann.ask("law")]
    assert [type(promise.exception(10)) for promise in promises] == [type(None)] * 3 + [Full] * 2 + [type(None)]
    assert [recorded.event.course for recorded in world.log.read(stream="student/ann")] == ["art"] * 3 + ["law"]


def test_a_kit_restarts_an_actor_with_a_decision_model() -> None:
    for rejecting in (False, True):
        with ActorKit(StudentActor, "student/ann", rejecting=rejecting) as kit:
            kit.log.append([Append(stream="student/bob", events=[Enrolled("bob", "art")])], T)
            assert kit.send(Enrol("art")).events == [Enrolled("ann", "art")]
            assert isinstance(kit.send(Enrol("art")).error, Full)


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        (Count("art"), Full, "0 students"),
        (Count("odd"), TypeError, "5 is not an event"),
        (Enrol("art", 1000), NoApplier, "Student decided a CourseRenamed"),
    ],
)
def test_what_goes_wrong_in_a_decision_is_the_answer_and_the_actor_goes_on(
    school: ActorSystem, command: Any, error: type[Exception], said: str
) -> None:
    ann = school.actor("student/ann")
    with pytest.raises(error, match=said):
        ann.ask(command).result(5)
    assert ann.ask(Enrol("law")).result(5) == 0


def test_facts_that_cannot_be_folded_are_the_answer_each_time_and_the_actor_goes_on(school: ActorSystem) -> None:
    school.actor("student/spoiled").ask(Enrol("art"))
    ann = school.actor("student/ann")
    school.settle()
    for _ in range(2):
        with pytest.raises(ArithmeticError, match="it cannot be folded"):
            ann.ask(Enrol("art")).result(5)
    assert ann.ask(Enrol("law")).result(5) == 0


class Odd(StudentActor):
    """Its decision models are wrong."""

    def reads(self, command: Any) -> Any:
        return command()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: Query((QueryItem(),)), "the result of reads must be a DecisionModel or None, not Query"),
        (lambda: DecisionModel(QueryItem(), Enrolments), "query must be a Query, not QueryItem"),  # type: ignore[arg-type]  # the mistake
        (lambda: DecisionModel(Query(()), Enrolments), "a query without items matches no event"),
        (lambda: DecisionModel(Query((QueryItem(),)), Enrolments()), "initial must be a function"),  # type: ignore[arg-type]  # the mistake
        (lambda: DecisionModel(Query((QueryItem(),)), None), "initial must be a function"),  # type: ignore[arg-type]  # the mistake
    ],
)
def test_a_wrong_model_is_the_answer(model: Callable[[], Any], said: str) -> None:
    with ActorSystem.open(actors={"student": Odd}) as system:
        with pytest.raises((TypeError, ValueError), match=said):
            system.actor("student/ann").ask(model).result(5)
        assert system.actor("student/ann").query(None).result(5) == 0


# -- a log that changes or fails in between ---------------------------------------------------------------------------


class RacingLog(MemoryLog):
    """A log on which another writer enrols a student just before each conditional append, `races` times."""

    races = 0

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append another writer's event first, if a request has a condition."""
        if self.races and any(request.condition is not None for request in requests):
            self.races -= 1
            rival = Append(stream=f"student/rival-{self.races}", events=[Enrolled(f"rival-{self.races}", "art")])
            super().append([rival], recorded_at)
        return super().append(requests, recorded_at)


@pytest.fixture
def racing() -> RacingLog:
    """Give a log with another writer."""
    return RacingLog()


def test_a_decision_is_made_again_on_what_another_writer_stored_first(racing: RacingLog) -> None:
    with ActorSystem.open(racing, actors=ACTORS) as system:
        racing.races = 2
        assert system.actor("student/ann").ask(Enrol("art", 3)).result(5) == 0
        assert students_of(racing, "art") == ["rival-1", "rival-0", "ann"]
        racing.races = 1
        with pytest.raises(Full, match="art has 4 students"):
            system.actor("student/ann").ask(Enrol("art", 4)).result(5)


def test_a_decision_is_given_up_after_many_conflicts_and_the_actor_goes_on(racing: RacingLog) -> None:
    with ActorSystem.open(racing, actors=ACTORS) as system:
        racing.races = 100
        ann = system.actor("student/ann")
        waiting = [ann.ask(Enrol("art", 500)), ann.ask(Enrol("art", 500))]
        with pytest.raises(
            DecisionContended, match="that 'student/ann' decides on changed 100 times in a row"
        ) as caught:
            waiting[0].result(20)
        assert caught.value.retriable
        assert isinstance(caught.value.__cause__, ConditionNotMet)
        assert waiting[1].result(20) == 0


def test_other_events_do_not_conflict(racing: RacingLog) -> None:
    with ActorSystem.open(racing, actors=ACTORS) as system:
        racing.races = 1
        assert system.actor("student/ann").ask(Enrol("law", 1)).result(5) == 0
        assert system.actor("student/bob").query(None).result(5) == 0


def test_many_facts_are_read_in_several_chunks() -> None:
    with MemoryLog() as log, ActorSystem.open(log, actors=ACTORS) as system:
        for _ in range(3):
            log.append([Append(stream="student/bob", events=[Enrolled("bob", "art")] * 15_000)], T)
        with pytest.raises(Full, match="45000 students"):
            system.actor("student/ann").ask(Count("art")).result(20)


def faulty_school(faulty: FaultyLog) -> ActorSystem:
    return ActorSystem.open(faulty, actors=ACTORS, retry_backoff=0.005)


def test_an_unknown_outcome_is_reported_and_not_decided_again(faulty: FaultyLog) -> None:
    with faulty_school(faulty) as system:
        faulty.lose_answer("student/ann", written=True)
        ann = system.actor("student/ann")
        with pytest.raises(OutcomeUnknown):
            ann.ask(Enrol("art")).result(5)
        assert ann.query(None).result(5) == 1
        assert students_of(faulty, "art") == ["ann"]


def test_a_refused_append_is_the_answer(faulty: FaultyLog) -> None:
    with faulty_school(faulty) as system:
        faulty.reject("student/ann")
        ann = system.actor("student/ann")
        with pytest.raises(LogFull):
            ann.ask(Enrol("art")).result(5)
        assert ann.ask(Enrol("art")).result(5) == 0


def test_facts_that_cannot_be_read_are_the_answer(faulty: FaultyLog) -> None:
    with faulty_school(faulty) as system:
        ann = system.actor("student/ann")
        assert ann.ask(Enrol("art")).result(5) == 0
        assert system.actor("student/bob").ask("law").result(5) == 0
        faulty.is_unreadable = True
        with pytest.raises(LogUnavailable):
            ann.ask(Enrol("art")).result(5)
        faulty.is_unreadable = False
        assert ann.ask(Enrol("art")).result(5) == 1


@pytest.fixture
def slow() -> Iterator[SlowLog]:
    """Give a log whose reads by query wait to be released."""
    log = SlowLog()
    yield log
    log.release()


class SlowLog(MemoryLog):
    """A log whose reads by query can be held back."""

    def __init__(self) -> None:
        super().__init__()
        self.append([Append(stream="student/bob", events=[Enrolled("bob", "law")])], T)
        self.reached, self._released = threading.Event(), threading.Event()

    def release(self) -> None:
        """Let reads continue."""
        self._released.set()

    def read(self, *, query: Query | None = None, **wanted: Any) -> Iterator[Any]:
        """Read, but wait first if it is by query."""
        if query is not None:
            self.reached.set()
            self._released.wait(10)
        return super().read(query=query, **wanted)


def test_an_actor_that_is_killed_while_facts_are_read_answers(slow: SlowLog) -> None:
    with ActorSystem.open(slow, actors=ACTORS) as system:
        promise = system.actor("student/ann").ask(Enrol("art"))
        assert slow.reached.wait(10)
        system.kill("student/ann")
        with pytest.raises(ActorStopped):
            promise.result(5)
        slow.release()
        assert system.actor("student/ann").ask(Enrol("art")).result(5) == 0


def test_close_waits_for_a_decision_that_reads(slow: SlowLog) -> None:
    system = ActorSystem.open(slow, actors=ACTORS)
    promise = system.actor("student/ann").ask(Enrol("art"))
    assert slow.reached.wait(10)
    slow.release()
    system.close()
    assert promise.result(0.1) == 0


# -- kept states ------------------------------------------------------------------------------------------------------


def test_a_kept_state_reads_only_what_is_new() -> None:
    states = ModelStates(limit=2)
    art, law, tax = (seats_of(course) for course in ("art", "law", "tax"))
    assert states.position_of(art) == -1
    state = states.advance(art, [Enrolled("ann", "art")], 7)
    assert states.position_of(seats_of("art")) == 7
    assert states.advance(art, [Enrolled("bob", "art")], 9) is state
    assert isinstance(state, Enrolments)
    assert state.students == ["ann", "bob"]
    states.advance(law, [], 9)
    states.advance(art, [], 10)
    states.advance(tax, [], 10)
    assert [states.position_of(model) for model in (art, law, tax)] == [10, -1, 10]


def test_a_state_that_failed_to_fold_is_not_kept() -> None:
    states = ModelStates()
    states.advance(seats_of("art"), [Enrolled("ann", "art")], 7)
    with pytest.raises(ArithmeticError):
        states.advance(seats_of("art"), [Enrolled("spoiled", "art")], 8)
    assert states.position_of(seats_of("art")) == -1
