"""ActorKit: drives one actor of your own, and restarts it after every command.

    with ActorKit(AccountActor, "account/alice") as kit:
        assert kit.send(Deposit(100)).events == [MoneyDeposited("alice", 100)]
        assert kit.query(Balance()) == 100
        assert isinstance(kit.send(Withdraw(300)).error, Overdrawn)

The kit also tests recovery: after each command it stops the actor and recovers it twice, from its stream alone and, if
it has a `snapshot_schema`, from the snapshot taken before the command and the events since. Each time the state and the
answers to all queries asked so far must be the same. The recovered actor handles the next command. A command that
stored no events must not change the state.

Prior art: Pekko's EventSourcedBehaviorTestKit. Failures are plain AssertionErrors, so no test framework is needed. It
uses only public classes: an ActorSystem on a log in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import msgspec

from odradek_actors.base.behaviour import RESTORING, TAKING
from odradek_actors.client.system import ActorSystem
from odradek_actors.errors import RequestTimedOut
from odradek_actors.infrastructure.directory import ActorClass
from odradek_actors.messages.core import GetCopy, Snapshot
from odradek_actors.runtime.promise import Promise
from odradek_actors.settings import Settings
from odradek_domain.errors import NoApplier
from odradek_events.errors import LogFull
from odradek_events.facts import facts_of
from odradek_events.log.memory import MemoryLog
from odradek_events.record import Append, Rejected, Verdict
from odradek_events.scenario.report import difference_of
from odradek_events.snapshots.store import MemorySnapshots, StoredSnapshot

__all__ = ["ActorKit", "Sent"]

_ONLY_AT_STOP = 1 << 60  # events between two snapshots


class Sent(msgspec.Struct, frozen=True):
    """The outcome of a command: its answer or error, and the events that it stored."""

    answer: Any
    error: Exception | None
    events: list[Any]

    def result(self) -> Any:
        """Return the answer, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.answer


class ActorKit:
    """One actor of `actor_class` on the stream `<type>/<id>`, in a separate ActorSystem. A context manager.

    With `rejecting`, every command is sent twice. The first time the log rejects its events as if it were full, which
    must not change the state. `timeout` limits each wait, in seconds. `settings` are those of ActorSystem.
    """

    def __init__(
        self, actor_class: ActorClass, stream: str, *, rejecting: bool = False, timeout: float = 10.0, **settings: Any
    ) -> None:
        self.stream = stream
        self.log = _KitLog()
        self._rejecting = rejecting
        self._timeout = timeout
        self._settings = settings
        self._errors: list[tuple[str, Exception]] = []  # of taking and restoring snapshots, which actors outlive
        self._class = _watched(actor_class, self._errors)
        self._queries: list[Any] = []
        self._snapshots = MemorySnapshots()
        self._earlier: StoredSnapshot | None = None  # the newest before the last command
        self._system = self._open(self._snapshots, _ONLY_AT_STOP)

    def __repr__(self) -> str:
        return f"<ActorKit {self.stream!r} version={self.log.stream_version(self.stream)}>"

    # -- what a test does ---------------------------------------------------------------------------------------------

    def send(self, command: object) -> Sent:
        """Send a command, restart the actor, and return the outcome of the command.

        Raises AssertionError if the recovered actor differs or decided an event that its aggregate does not apply, and
        RequestTimedOut if there is no answer.
        """
        before = self._look(self._system)
        if self._rejecting:
            self.log.is_full = True
            try:
                self._ask(command)
            finally:
                self.log.is_full = False
            self._expect(before, self._look(self._system), f"{command!r}, rejected by the log, changed the actor")
        sent = self._ask(command)
        if isinstance(sent.error, NoApplier):
            raise AssertionError(str(sent.error)) from sent.error
        after = self._look(self._system)
        if not sent.events:
            self._expect(
                before, after, f"{command!r} stored no event but changed the actor; decide must not change the state"
            )
        self._restart(after, f"after {command!r}")
        return sent

    def query(self, query: object) -> Any:
        """Send a query, and return the answer or raise the error. Every later recovery must give the same answer."""
        if query not in self._queries:
            self._queries.append(query)
        return self._system.query(self.stream, query).result(self._timeout)

    @property
    def state(self) -> Any:
        """A copy of the actor's current state."""
        return self._copy_in(self._system)

    @property
    def events(self) -> list[Any]:
        """All events of the stream."""
        return self._events_after(-1)

    def close(self) -> None:
        """Restart once more, from the newest snapshot alone, and close the system."""
        expected = self._look(self._system)
        self._stop(expected)
        how = "in the end, recovered from its newest snapshot"
        self._recovered(self._snapshots, _ONLY_AT_STOP, expected, how).close(self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:  # the test's own error says more than another restart
            self._system.close(self._timeout)

    # -- sending ------------------------------------------------------------------------------------------------------

    def _ask(self, command: object) -> Sent:
        version = self.log.stream_version(self.stream)
        promise = self._system.command(self.stream, command)
        answer, error = self._outcome(promise)
        return Sent(answer, error, self._events_after(version))

    def _outcome(self, promise: Promise[Any]) -> tuple[Any, Exception | None]:
        try:
            return promise.result(self._timeout), None
        except RequestTimedOut:
            raise
        except Exception as error:
            return None, error

    def _events_after(self, version: int) -> list[Any]:
        return [recorded.event for recorded in self.log.read(stream=self.stream) if recorded.version > version]

    # -- restarting ---------------------------------------------------------------------------------------------------

    def _restart(self, expected: _Seen, when: str) -> None:
        self._stop(expected)
        self._recovered(MemorySnapshots(), 0, expected, f"{when}, recovered from its stream alone").close(self._timeout)
        how = f"{when}, started again"
        newest = self._snapshots.load(self.stream)
        if newest is not None:
            earlier, self._earlier = self._earlier or newest, newest
            self._snapshots = MemorySnapshots()
            self._snapshots.save([earlier])
            version = earlier.end.version
            how = f"{when}, recovered from its snapshot at version {version} and the events after it"
        self._system = self._recovered(self._snapshots, _ONLY_AT_STOP, expected, how)

    def _stop(self, expected: _Seen) -> None:
        """Stop in order, and check that the stop saved a readable snapshot."""
        self._system.close(self._timeout)
        self._check_snapshots()
        schema = self._class.snapshot_schema
        if schema is None or expected.version < 0:
            return
        newest = self._snapshots.load(self.stream)
        assert newest is not None, "every stop saves a snapshot"
        try:
            msgspec.json.decode(newest.payload, type=schema.type)
        except Exception as error:
            shown = newest.payload[:300].decode(errors="replace")
            raise AssertionError(f"the snapshot cannot be read back: {error}\n  {shown}") from error

    def _recovered(self, snapshots: MemorySnapshots, interval: int, expected: _Seen, how: str) -> ActorSystem:
        """Start a new system, and compare its actor with the expected one."""
        system = self._open(snapshots, interval)
        try:
            self._expect(expected, self._look(system), f"{how}, the actor differs")
            self._check_snapshots()
        except BaseException:
            system.close(self._timeout)
            raise
        return system

    def _open(self, snapshots: MemorySnapshots, interval: int) -> ActorSystem:
        settings = Settings(**{**self._settings, "snapshot_interval": interval})
        kind = self.stream.partition("/")[0]
        return ActorSystem(self.log, settings=settings, actors={kind: self._class}, snapshots=snapshots)

    def _check_snapshots(self) -> None:
        for what, error in self._errors:
            raise AssertionError(f"{what} failed: {error!r}") from error

    # -- comparing ----------------------------------------------------------------------------------------------------

    def _look(self, system: ActorSystem) -> _Seen:
        state = self._copy_in(system)
        try:
            facts: dict[str, object] = {"version": state.version, **_facts("state", state)}
        except Exception as mistake:
            raise AssertionError(f"{TAKING} failed: {mistake!r}") from mistake
        for query in self._queries:
            answer, error = self._outcome(system.query(self.stream, query))
            facts |= _facts(f"the answer to {query!r}", answer if error is None else repr(error))
        return _Seen(state.version, facts)

    def _copy_in(self, system: ActorSystem) -> Any:
        copied: Snapshot = system.query(self.stream, GetCopy()).result(self._timeout)
        return copied.state

    @staticmethod
    def _expect(expected: _Seen, found: _Seen, otherwise: str) -> None:
        differences = difference_of(expected.facts, found.facts, "{name} was {one} and is {other}")
        if differences:
            raise AssertionError("\n  ".join([f"{otherwise}:", *differences]))


def _facts(name: str, thing: object) -> dict[str, object]:
    return {
        name if fact == "value" else f"{name}{'' if fact.startswith('[') else '.'}{fact}": value
        for fact, value in facts_of(thing).items()
    }


class _Seen(msgspec.Struct, frozen=True):
    """The observable state of an actor."""

    version: int
    facts: dict[str, object]


class _KitLog(MemoryLog):
    """A log in memory that can be made to reject every append."""

    is_full = False

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        """Append, or reject everything."""
        if self.is_full:
            return [Rejected(LogFull(self.name, "the kit rejects every command once"))] * len(requests)
        return super().append(requests, recorded_at)


def _watched(actor_class: ActorClass, errors: list[tuple[str, Exception]]) -> ActorClass:
    """Return a subclass that records the errors of its snapshots."""

    def noting(what: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except Exception as error:
                errors.append((what, error))
                raise

        return noted

    members = {
        "__module__": actor_class.__module__,
        "_encoded_snapshot": noting(TAKING, actor_class._encoded_snapshot),
        "_restored": noting(RESTORING, actor_class._restored),
        "_warn_of_snapshots": lambda *_: None,  # an AssertionError says it
    }
    return type(actor_class.__name__, (actor_class,), members)
