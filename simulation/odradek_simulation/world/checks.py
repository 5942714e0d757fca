"""The checks of a world: what must hold of each commit, what must become true, and what should be reached sometimes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from odradek_domain.registry import Aggregates
from odradek_domain.replay.system_state import SystemState
from odradek_events.log.port import LogStore
from odradek_simulation.checkers.anomalies import check_history
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.history import History, Operation
from odradek_simulation.checkers.invariants import InvariantChecker
from odradek_simulation.world.result import FailureKind

__all__ = ["Check", "Checks", "Complain", "Eventual", "Judge", "Judged"]

Check = Callable[[SystemState], object]
"""Judges a state: it fails by raising or by returning False; at the end of a run also by returning findings."""
Complain = Callable[[FailureKind, str, str, BaseException | None], None]


class Eventual(msgspec.Struct, frozen=True):
    """A check that must become true within virtual seconds of the quiet phase."""

    name: str
    check: Check
    within: float


class Judged(msgspec.Struct, frozen=True):
    """A history that is judged at the end, with what is expected of its readers; see `check_history`."""

    history: History
    read_to_end: set[str] = set()
    exactly_once: set[str] = set()

    def findings(self, state: SystemState) -> list[Finding]:
        """Return what is wrong with it."""
        return check_history(self.history, read_to_end=self.read_to_end, exactly_once=self.exactly_once, state=state)


class Checks:
    """What a user expects of a world, by name: a check that `start` declares again after a crash replaces itself."""

    def __init__(self) -> None:
        self.always: dict[str, Check] = {}
        self.eventually: dict[str, Eventual] = {}
        self.at_end: dict[str, Check] = {}
        self.history: Judged | None = None
        self.goals: dict[str, Check | None] = {}


class Judge:
    """Judges what a log has committed: by the invariants of every log, and by the user's checks after each commit."""

    def __init__(self, checks: Checks, store: LogStore, complain: Complain) -> None:
        self._checks = checks
        self._store = store
        self._complain = complain
        self._invariants = InvariantChecker()
        self.reached: set[str] = set()

    def begin(self, aggregates: Aggregates) -> None:
        """Fold the log with these aggregates, those of the user's actors."""
        self._invariants = InvariantChecker(aggregates)

    @property
    def state(self) -> SystemState:
        """The state after the last commit."""
        return self._invariants.state

    def follow(self) -> None:
        """Judge the new commits, and the state after each of them."""
        for findings in self._invariants.each_commit(self._store):
            if findings:
                self._complain_of("invariant", findings)
            self._judge_commit()

    def crash(self, *, has_lost_tail: bool) -> None:
        """Judge the log after a crash of the process, and note the crash in the history."""
        if has_lost_tail:
            self._complain_of("invariant", self._invariants.reopen(self._store, may_be_shorter=True))
        if self._checks.history is not None:
            self._checks.history.history.crash(self.state if has_lost_tail else None)

    def observe(self, operation: Operation) -> None:
        """Judge what a client was just told."""
        self._complain_of("invariant", self._invariants.observe(operation))

    def end(self, *, has_hung: bool) -> None:
        """Judge the history, and call the checks of the end. What a client that hung has asked needs no answer."""
        self.follow()
        judged = self._checks.history
        if judged is not None:
            if has_hung:
                judged.history.crash()
            self._complain_of("history", judged.findings(self.state))
        for name, check in self._checks.at_end.items():
            said = self._ask("end", name, check)
            if said is False:
                self._complain("end", name, "the check returned False at the end of the run", None)
            elif isinstance(said, list | tuple):
                self._complain_of("end", said)

    def is_true(self, eventual: Eventual) -> bool:
        """Return whether a check that must become true is so; one that raises fails the run."""
        said = self._ask("eventually", eventual.name, eventual.check)
        return said is not False and said is not None

    def _ask(self, kind: FailureKind, name: str, check: Check) -> object:
        """Return what a check says; if it raises, whatever it is, such as `pytest.fail`, the run fails."""
        try:
            return check(self.state)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._complain(kind, name, f"{type(error).__name__}: {error}", error)
            return True

    def _complain_of(self, kind: FailureKind, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._complain(kind, finding.checker, finding.problem, None)

    def _judge_commit(self) -> None:
        for name, check in self._checks.always.items():
            if self._ask("always", name, check) is False:
                self._complain("always", name, f"the check returned False at position {self.state.position}", None)
        for name, goal in self._checks.goals.items():
            if goal is not None and name not in self.reached and self._ask("always", name, goal):
                self.reached.add(name)
