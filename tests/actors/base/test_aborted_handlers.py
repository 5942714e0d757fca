"""SystemExit, KeyboardInterrupt or pytest.fail in an actor's code: an error for the caller, and for no other actor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import msgspec
import pykka
import pytest
from support.actors import QUICK
from support.groups import until

from odradek import ActorSystem, Aggregate, EventSourcedActor, MemoryLog, SnapshotSchema, event
from odradek_actors.errors import ActorError, ActorFailed, HandlerAborted

ABORTS: dict[str, Callable[[], BaseException]] = {
    "SystemExit": partial(SystemExit, 3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "Failed": partial(pytest.fail.Exception, "no"),
}
ENDING = ["apply", "on_applied", "on_ready", "initial_state"]  # an actor that fails here each time ends
HOOKS = ["decide", "respond", "answer", "take_snapshot", *ENDING]


@event("test.Added", version=1)
class Added(msgspec.Struct, frozen=True):
    number: int


class Sum(msgspec.Struct):
    version: int
    total: int


class Total(Aggregate):
    """Adds numbers up; raises `abort` when it applies the number 13."""

    abort: BaseException | None = None

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def _added(self, event: Added) -> None:
        if event.number == 13 and self.abort is not None:
            raise self.abort
        self.total += event.number

    appliers: ClassVar = {Added: _added}

    def snapshot(self) -> Sum:
        return Sum(self.version, self.total)

    @classmethod
    def restore(cls, snapshot: Sum) -> Total:
        total = cls()
        total.version, total.total = snapshot.version, snapshot.total
        return total


class TotalActor(EventSourcedActor[Total]):
    """Raises `abort` in the hook called `where`, for as long as it is set."""

    where = ""
    abort: BaseException
    snapshot_schema = SnapshotSchema("test.Sum", 1, Sum)

    def _pass(self, hook: str) -> None:
        if self.where == hook:
            raise self.abort

    def initial_state(self) -> Total:
        self._pass("initial_state")
        total = Total()
        total.abort = self.abort if self.where == "apply" else None
        return total

    def decide(self, command: int) -> Sequence[Any]:
        self._pass("decide")
        return [Added(command)]

    def respond(self, command: int, events: Sequence[Any]) -> int:
        self._pass("respond")
        return self.state.total

    def answer(self, query: Any) -> int:
        self._pass("answer")
        return self.state.total

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        self._pass("on_applied")

    def on_ready(self) -> None:
        self._pass("on_ready")

    def take_snapshot(self) -> msgspec.Struct:
        self._pass("take_snapshot")
        return super().take_snapshot()


class Echo(pykka.ThreadingActor):
    """An actor of another library's user, in the same process."""

    def on_receive(self, message: Any) -> Any:
        return message


@pytest.fixture
def bystanders() -> Iterator[tuple[ActorSystem, pykka.ActorRef[Echo]]]:
    """Another system and a plain Pykka actor, which must not notice anything."""
    echo = Echo.start()
    with ActorSystem.open() as other:
        yield other, echo
        assert other.producer().send("orders", "1").result(10).offset == 0
        assert echo.ask("still here", timeout=10) == "still here"
    echo.stop()


@pytest.fixture(params=ABORTS)
def abort(request: pytest.FixtureRequest) -> BaseException:
    """Give an exception that no other test has raised."""
    return ABORTS[request.param]()


def answers(system: ActorSystem, hook: str) -> bool:
    """Say whether the actor answers; one that is about to end answers with its error until then."""
    error = system.actor("total/t").ask(1).exception(10)
    assert error is None or (isinstance(error, ActorError) and hook in ENDING), error
    return error is None


@pytest.mark.filterwarnings("ignore::odradek_actors.errors.SnapshotWarning")
@pytest.mark.parametrize("hook", HOOKS)
def test_a_base_exception_in_a_hook_is_answered_and_affects_only_its_actor(
    hook: str, abort: BaseException, bystanders: tuple[ActorSystem, pykka.ActorRef[Echo]]
) -> None:
    del bystanders
    breaking = type("Breaking", (TotalActor,), {"where": hook, "abort": abort})
    settings = {**QUICK, "retry_backoff": 0.0005, "snapshot_interval": 1}
    with ActorSystem.open(MemoryLog(), actors={"total": breaking}, **settings) as system:
        actor = system.actor("total/t")
        outcome = actor.ask(13).exception(10)
        query = actor.query("total").exception(10)

        if hook in ("decide", "respond"):
            assert isinstance(outcome, HandlerAborted)
            assert outcome.__cause__ is abort
            assert query is None
        elif hook == "answer":
            assert (outcome, type(query)) == (None, HandlerAborted)
        elif hook == "take_snapshot":
            assert (outcome, query) == (None, None)
        else:
            assert isinstance(outcome, ActorError), outcome
            assert isinstance(query, ActorError), query
        breaking.where = ""  # type: ignore[attr-defined]  # a class made by type()
        until(partial(answers, system, hook), what="it answers again")
        assert system.actor("total/t").query("total").result(10) in (1, 14)


def test_an_actor_that_aborts_while_it_gives_up_still_ends_and_answers(abort: BaseException) -> None:
    class GivesUpBadly(TotalActor):
        where = "apply"

        def on_giving_up(self, error: Exception) -> None:
            raise self.abort

    GivesUpBadly.abort = abort
    with ActorSystem.open(MemoryLog(), actors={"total": GivesUpBadly}, **{**QUICK, "retry_backoff": 0.0005}) as system:
        outcome = system.actor("total/t").ask(13).exception(10)
        assert isinstance(outcome, ActorFailed | HandlerAborted)


def test_an_actor_that_aborts_while_it_prepares_to_stop_stops_all_the_same(abort: BaseException) -> None:
    class StopsBadly(TotalActor):
        def on_stopping(self) -> bool:
            raise self.abort

    StopsBadly.abort = abort
    system = ActorSystem.open(MemoryLog(), actors={"total": StopsBadly})
    assert system.actor("total/t").ask(1).result(10) == 1
    system.close(10)


@pytest.mark.parametrize("hook", ["decide", "respond", "answer"])
def test_an_abort_that_is_answered_is_logged_too(
    hook: str, abort: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    breaking = type("Breaking", (TotalActor,), {"where": hook, "abort": abort})
    with ActorSystem.open(MemoryLog(), actors={"total": breaking}) as system, caplog.at_level(logging.ERROR, "odradek"):
        actor = system.actor("total/t")
        assert actor.query("total").exception(10) or actor.ask(1).exception(10)

    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 1
    assert type(abort).__name__ in logged[0]
