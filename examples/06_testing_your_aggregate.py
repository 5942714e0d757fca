"""Test an aggregate of your own: given what happened, when something is decided, then these events, or this error.

Each scenario also checks that the events come back from a log as they went in, that deciding changes nothing, and that
the account folds to the same state one by one and all at once. Run it with unittest, as here, or with pytest.
"""

import sys
import unittest
from typing import ClassVar

import msgspec

from odradek import Aggregate, event
from odradek.testing import given


@event("Deposited")
class Deposited(msgspec.Struct, frozen=True):
    cents: int


@event("Withdrawn")
class Withdrawn(msgspec.Struct, frozen=True):
    cents: int


class Account(Aggregate):
    cents = 0

    def withdraw(self, cents: int) -> list[Withdrawn]:
        if cents > self.cents:
            raise ValueError(f"there are {self.cents} cents, too few to take out {cents}")
        return [Withdrawn(cents)] if cents else []

    def _deposited(self, event: Deposited) -> None:
        self.cents += event.cents

    def _withdrawn(self, event: Withdrawn) -> None:
        self.cents -= event.cents

    appliers: ClassVar = {Deposited: _deposited, Withdrawn: _withdrawn}


class AccountTest(unittest.TestCase):
    def test_money_can_be_taken_out(self) -> None:
        given(Account(), Deposited(700)).when(Account.withdraw, 300).then(Withdrawn(300)).then_state(cents=400)

    def test_what_is_not_there_cannot_be_taken_out(self) -> None:
        given(Account(), Deposited(700)).when(Account.withdraw, 900).then_raises(ValueError, match="too few")

    def test_no_money_is_no_event(self) -> None:
        given(Account()).when(lambda account: account.withdraw(0)).then_nothing()


if __name__ == "__main__":
    try:
        given(Account(), Deposited(700)).when(Account.withdraw, 300).then(Withdrawn(30))
    except AssertionError as failure:
        print(failure)
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout))
