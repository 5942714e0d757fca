"""Given-when-then scenarios: their checks, and the messages of failed checks."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from odradek import Aggregate, event
from odradek.testing import Outcome, Scenario, given
from odradek_events.schema.registry import CATALOGUE, Catalogue, OffsetTag

BANK = Catalogue()


@event("Opened", catalogue=BANK)
class Opened(msgspec.Struct, frozen=True):
    """An account was opened."""

    owner: str
    cents: int = 0


@event("Withdrawn", catalogue=BANK)
class Withdrawn(msgspec.Struct, frozen=True):
    """Money was taken out."""

    cents: int


class Unregistered(msgspec.Struct, frozen=True):
    """A struct that is not registered as an event."""

    cents: int


class InsufficientFunds(Exception):
    """There is too little money."""

    def __init__(self, cents: int, wanted: int) -> None:
        super().__init__(f"there are {cents} cents, too few to take out {wanted}")
        self.cents, self.wanted = cents, wanted


class Account(Aggregate):
    """An account with mutable state: a list."""

    def __init__(self) -> None:
        super().__init__()
        self.cents = 0
        self.lines: list[int] = []

    def open(self, owner: str, cents: int = 0) -> Opened:
        """Decide to open it."""
        return Opened(owner, cents)

    def withdraw(self, cents: int, times: int = 1) -> list[Withdrawn]:
        """Decide to take out money."""
        if cents * times > self.cents:
            raise InsufficientFunds(self.cents, cents * times)
        return [Withdrawn(cents)] * times if cents else []

    def _opened(self, event: Opened) -> None:
        self.cents = event.cents
        self.lines.append(event.cents)

    def _withdrawn(self, event: Withdrawn) -> None:
        self.cents -= event.cents
        self.lines.append(-event.cents)

    appliers = {Opened: _opened, Withdrawn: _withdrawn}


def account(*events: object) -> Scenario[Account]:
    """Start a scenario with Ann's account, which has 700 cents."""
    return given(Account(), Opened("ann", 700), *events, catalogue=BANK)


def failure(scenario: Callable[[], object]) -> str:
    """Return the message of a failing scenario."""
    with pytest.raises(AssertionError) as failed:
        scenario()
    return str(failed.value)


# -- what passes ------------------------------------------------------------------------------------------------------


def test_a_scenario_continues_from_the_decided_events() -> None:
    scenario = given(Account(), catalogue=BANK).when(Account.open, "ann", cents=700).then(Opened("ann", 700))
    scenario.when(Account.withdraw, 300, times=2).then(Withdrawn(300), Withdrawn(300)).then_state(cents=100, version=2)
    assert scenario.history == [Opened("ann", 700), Withdrawn(300), Withdrawn(300)]
    assert scenario.aggregate.lines == [700, -300, -300]


def test_a_decision_may_return_one_event_several_or_none() -> None:
    for decide, events in [
        (lambda _: Withdrawn(1), [Withdrawn(1)]),
        (lambda _: (Withdrawn(1), Withdrawn(2)), [Withdrawn(1), Withdrawn(2)]),
        (lambda _: [], []),
        (lambda _: None, []),
    ]:
        account().when(decide).then(*events)
    account().when(Account.withdraw, 0).then_nothing()


def test_an_error_is_checked_by_class_text_and_attributes() -> None:
    outcome = account().when(Account.withdraw, 900)
    outcome.then_raises(InsufficientFunds)
    outcome.then_raises(Exception, match=r"there are \d+ cents")
    scenario = outcome.then_raises(InsufficientFunds, match="too few", cents=700, wanted=900)
    scenario.when(Account.withdraw, 700).then(Withdrawn(700)).then_state(cents=0)


def test_an_outcome_has_its_events_and_error() -> None:
    outcome: Outcome[Account] = account().when(Account.withdraw, 1)
    assert (outcome.events, outcome.error) == ([Withdrawn(1)], None)
    assert isinstance(account().when(Account.withdraw, 900).error, InsufficientFunds)


def test_an_aggregate_needs_no_base_class() -> None:
    class Counter:
        """State of another kind, with slots, a private one, and a method in an attribute."""

        __slots__ = ("__seen", "on_event", "total", "version")

        def __init__(self) -> None:
            self.version = -1
            self.total = 0
            self.__seen: dict[str, set[int]] = {}
            self.on_event = self.count

        def count(self, cents: int) -> None:
            self.total += cents
            self.__seen.setdefault("cents", set()).add(cents)

        def apply_all(self, events: Sequence[Any]) -> None:
            for item in events:
                self.on_event(item.cents)
            self.version += len(events)

        def spoil(self) -> None:
            self.__seen["cents"].add(7)

    scenario = given(Counter(), Withdrawn(1), Withdrawn(2), catalogue=BANK)
    assert "__seen['cents'][7] was missing and is 7" in failure(lambda: scenario.when(Counter.spoil))


def test_a_scenario_uses_the_default_catalogue_unless_given_another() -> None:
    with pytest.raises(AssertionError, match=r"a log cannot store the event: .*Withdrawn is not registered"):
        given(Account(), Withdrawn(1))
    assert CATALOGUE.by_name("Withdrawn") is None


class UnderUnittest(unittest.TestCase):
    """pytest collects this as unittest would."""

    def test_a_scenario_is_a_test_and_fails_as_one(self) -> None:
        account().when(Account.withdraw, 300).then(Withdrawn(300))
        with pytest.raises(self.failureException):
            account().when(Account.withdraw, 300).then()


# -- what fails, and its story ----------------------------------------------------------------------------------------


def test_a_failure_shows_expected_and_decided_events_and_their_differences() -> None:
    assert failure(lambda: account().when(Account.withdraw, 200, times=2).then(Withdrawn(200), Withdrawn(20))) == (
        "other events were decided than expected\n"
        "\n"
        "given Account, and then\n"
        "  1. Opened(owner='ann', cents=700)\n"
        "when\n"
        "  Account.withdraw(200, times=2)\n"
        "then expected\n"
        "  1. Withdrawn(cents=200)\n"
        "  2. Withdrawn(cents=20)\n"
        "but got\n"
        "  1. Withdrawn(cents=200)\n"
        "  2. Withdrawn(cents=200)\n"
        "where\n"
        "  cents of event 2 should be 20, but is 200"
    )


def test_a_failure_counts_missing_and_extra_events() -> None:
    assert "there should be 0 events, but there are 1" in failure(
        lambda: account().when(Account.withdraw, 1).then_nothing()
    )
    assert "then expected\n  1. Withdrawn(cents=1)\nbut got\n  nothing\nwhere\n  there should be 1" in failure(
        lambda: account().when(Account.withdraw, 0).then(Withdrawn(1))
    )


def test_an_event_of_another_class_is_reported_with_its_module() -> None:
    said = failure(lambda: account().when(Account.withdraw, 1).then(Unregistered(1)))
    assert "event 1 should be a " in said
    assert said.endswith("test_scenario.Withdrawn")


def test_a_lambda_is_shown_by_its_source_text() -> None:
    said = failure(lambda: account().when(lambda account: account.withdraw(1)).then())
    assert "when\n  account.withdraw(1)\nthen expected\n  nothing" in said
    said = failure(
        lambda: (
            account()
            .when(
                lambda account: account.withdraw(
                    1,
                    times=2,
                )
            )
            .then()
        )
    )
    assert "when\n  account.withdraw( 1, times=2, )\n" in said


def test_a_long_history_and_long_values_are_truncated() -> None:
    said = failure(lambda: given(Account(), *[Opened("x" * 400)] * 20, catalogue=BANK).then_state(cents=1))
    assert said.startswith("cents should be 1, but is 0\n\ngiven Account, and then\n  (8 more)\n  9. Opened(owner='xxx")
    assert "xxx... (" in said
    assert len(said) < 6000


def test_an_unexpected_error_is_the_cause_of_the_failure() -> None:
    with pytest.raises(AssertionError, match="the decision raised an error") as failed:
        account().when(Account.withdraw, 900).then(Withdrawn(900))
    assert isinstance(failed.value.__cause__, InsufficientFunds)
    assert "but it raised\n  InsufficientFunds('there are 700 cents, too few to take out 900')" in str(failed.value)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (lambda: account().when(Account.withdraw, 1).then_raises(ValueError), "no ValueError was raised\n\n"),
        (lambda: account().when(Account.withdraw, 1).then_raises(ValueError), "but got\n  1. Withdrawn(cents=1)"),
        (lambda: account().when(Account.withdraw, 0).then_raises(ValueError), "but got\n  nothing"),
        (lambda: account().when(Account.withdraw, 900).then_raises(ValueError), "but it raised\n  InsufficientFunds("),
        (
            lambda: account().when(Account.withdraw, 900).then_raises(InsufficientFunds, match="enough"),
            "InsufficientFunds has a different text",
        ),
        (
            lambda: account().when(Account.withdraw, 900).then_raises(InsufficientFunds, wanted=1),
            "wanted of InsufficientFunds should be 1, but is 900",
        ),
        (
            lambda: account().when(Account.withdraw, 900).then_raises(InsufficientFunds, owner="ann"),
            "owner of InsufficientFunds should be 'ann', but is missing",
        ),
        (lambda: account().then_state(cents=1), "cents should be 1, but is 700"),
        (lambda: account().then_state(dollars=1), "Account has no attribute 'dollars'"),
        (lambda: account().when(lambda _: 5), "5 is not an event; return an event, a list or tuple of events, or None"),
        (lambda: account().when(lambda _: [Withdrawn]), "is not an event"),
    ],
)
def test_each_failed_check_gives_its_reason(check: Callable[[], object], reason: str) -> None:
    assert reason in failure(check)


def test_a_decision_must_not_change_the_aggregate() -> None:
    def careless(account: Account) -> Withdrawn:
        account.cents -= 1
        account.lines.append(-1)
        return Withdrawn(1)

    said = failure(lambda: account().when(careless))
    assert said.startswith("the decision changed the aggregate; return events, and change state only in apply\n")
    assert "when\n  careless()\nnow\n" in said
    assert "cents was 700 and is 699\n" in said
    assert "lines.size was 1 and is 2\n  lines[1] was missing and is -1" in said


def test_a_refused_decision_must_not_change_the_aggregate() -> None:
    def careless(account: Account) -> None:
        account.lines.clear()
        raise InsufficientFunds(0, 0)

    assert "lines.size was 1 and is 0" in failure(lambda: account().when(careless))


def test_the_state_is_the_snapshot_if_the_aggregate_has_one() -> None:
    class Cached(Account):
        """An account that counts queries, which are not part of its state."""

        asked = 0

        def snapshot(self) -> Opened:
            return Opened("ann", self.cents)

        def peek(self) -> None:
            self.asked += 1

        def steal(self) -> None:
            self.cents -= 1

    scenario = given(Cached(), Opened("ann", 5), catalogue=BANK).when(Cached.peek).then_nothing()
    assert "cents was 5 and is 4" in failure(lambda: scenario.when(Cached.steal))


def test_apply_must_not_raise() -> None:
    class Strict(Account):
        def apply_all(self, events: Sequence[Any]) -> None:
            raise ValueError("not this one")

    said = failure(lambda: given(Strict(), Opened("ann"), catalogue=BANK))
    assert said.startswith("apply raised ValueError('not this one'); it must accept every event that was decided")
    assert "applying\n  1. Opened(owner='ann', cents=0)" in said


def test_apply_must_increase_the_version_by_one_for_each_event() -> None:
    class Forgetful(Account):
        def apply_all(self, events: Sequence[Any]) -> None:
            super().apply_all(events)
            self.version = 0

    scenario = given(Forgetful(), Opened("ann", 5), catalogue=BANK)
    said = failure(lambda: scenario.when(Forgetful.withdraw, 1).then(Withdrawn(1)))
    assert said.startswith("apply_all changed the version from 0 to 0; increase it by 1 per event")


def test_applying_one_by_one_and_all_at_once_must_give_the_same_state() -> None:
    class Hasty(Account):
        """Looks at the first event of a batch only."""

        def apply_all(self, events: Sequence[Any]) -> None:
            super().apply_all(events[:1])
            self.version += len(events) - 1

    said = failure(lambda: given(Hasty(), Opened("ann", 5), Withdrawn(1), catalogue=BANK))
    assert said.startswith("applying the events one by one gives a different state than reading and applying them all")
    assert "difference\n  cents is 4, but 5 if read\n" in said


@event("Sampled", tags=(OffsetTag("series", "offset"),), catalogue=BANK)
class Sampled(msgspec.Struct, frozen=True):
    """An event that can have values that a log refuses."""

    offset: int
    value: Any = None


@event("Rounded", catalogue=BANK)
class Rounded(msgspec.Struct, frozen=True, eq=False):
    """An event that is equal only to itself."""

    cents: int


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Withdrawn("1"), "cannot store the event: it could not be decoded again (Expected `int`, got `str`"),  # type: ignore[arg-type]  # the mistake
        (Withdrawn(object()), "a log cannot store the event: Encoding objects of type object is unsupported"),  # type: ignore[arg-type]  # the mistake
        (Unregistered(1), "Unregistered is not registered; declare it with @event(...)"),
        (Sampled(-1), "a log cannot store the event: offset -1 of 'Sampled' is not an offset"),
        (Sampled(1, b"\xff"), "a log does not return the event unchanged"),
        (Sampled(1, b"\xff"), "read\n  Sampled(offset=1, value='/w==')\n  value was b'\\xff' and is '/w=='"),
        (Rounded(1), "all fields are equal, but == is false; declare it without eq=False"),
    ],
)
def test_a_log_must_return_an_event_unchanged(item: Any, reason: str) -> None:
    class Careful(Account):
        """An account that decides these events too."""

        ignores = (Sampled, Rounded)

    assert reason in failure(lambda: given(Account(), item, catalogue=BANK))
    assert reason in failure(lambda: given(Careful(), catalogue=BANK).when(lambda _: item).then(item))


def test_a_decided_event_needs_an_applier() -> None:
    said = failure(lambda: account().when(lambda _: [Withdrawn(1), Rounded(1)]))
    assert said.startswith(
        "Account decided a Rounded, for which it has no applier; add one to Account.appliers, or list"
    )
    assert "decided\n  1. Withdrawn(cents=1)\n  2. Rounded(cents=1)" in said


def test_a_past_event_needs_no_applier_and_a_decided_one_may_be_ignored() -> None:
    class Careful(Account):
        """An account that decides an event which does not change it."""

        ignores = (Sampled,)

    assert account(Sampled(1)).aggregate.version == 1
    given(Careful(), catalogue=BANK).when(lambda _: Sampled(1)).then(Sampled(1)).then_state(version=0)
