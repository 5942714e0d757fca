"""The checks of a world: what must always hold, what must become true, and what should be reached sometimes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from odradek_domain.replay.system_state import SystemState
from odradek_events.log.port import LogStore
from odradek_simulation.world.result import FailureKind

__all__ = ["Check", "Checks", "Complain", "Eventual", "Judge"]

Check = Callable[[SystemState], object]
"""Judges a state: it fails by raising or by returning False."""
Complain = Callable[[FailureKind, str, str, BaseException | None], None]


class Eventual(msgspec.Struct, frozen=True):
    """A check that must become true within virtual seconds of the quiet phase."""

    name: str
    check: Check
    within: float


class Checks:
    """What a user expects of a world, by name: a check that `start` declares again after a crash replaces itself."""

    def __init__(self) -> None:
        self.always: dict[str, Check] = {}
        self.eventually: dict[str, Eventual] = {}
        self.goals: dict[str, Check | None] = {}


class Judge:
    """Folds what a log has committed, and calls the checks after each commit."""

    def __init__(self, checks: Checks, store: LogStore, complain: Complain) -> None:
        self._checks = checks
        self._store = store
        self._complain = complain
        self.state = SystemState()
        self.reached: set[str] = set()

    def follow(self) -> None:
        """Fold the new commits, and judge the state after each of them."""
        head = self._store.head().position
        if head > self.state.position:
            for commit in self._store.commits(after=self.state.position, until=head, opaque=True):
                self.state.apply_commit(commit)
                self._judge_commit()

    def start_over(self) -> None:
        """Forget the state: the log has lost its end."""
        self.state = SystemState()

    def is_true(self, eventual: Eventual) -> bool:
        """Return whether a check that must become true is so; one that raises fails the run."""
        try:
            said = eventual.check(self.state)
        except Exception as error:
            self._complain("eventually", eventual.name, f"{type(error).__name__}: {error}", error)
            return True
        return said is not False and said is not None

    def _judge_commit(self) -> None:
        for name, check in self._checks.always.items():
            try:
                if check(self.state) is False:
                    message = f"the check returned False at position {self.state.position}"
                    self._complain("always", name, message, None)
            except Exception as error:
                self._complain("always", name, f"{type(error).__name__}: {error}", error)
        for name, goal in self._checks.goals.items():
            if goal is not None and name not in self.reached:
                try:
                    if goal(self.state):
                        self.reached.add(name)
                except Exception as error:
                    self._complain("always", name, f"{type(error).__name__}: {error}", error)
