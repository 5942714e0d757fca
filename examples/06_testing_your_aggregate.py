"""Test an aggregate of your own: given these events, when this is decided, then these events or this error.

Each scenario also checks that the events survive a round trip through the log's codec, that deciding changes nothing,
and that folding the events one by one and all at once gives the same state. Run it with unittest, as here, or pytest.
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
    def test_money_can_be_withdrawn(self) -> None:
        given(Account(), Deposited(700)).when(Account.withdraw, 300).then(Withdrawn(300)).then_state(cents=400)

    def test_a_withdrawal_above_the_balance_is_refused(self) -> None:
        given(Account(), Deposited(700)).when(Account.withdraw, 900).then_raises(ValueError, match="too few")

    def test_withdrawing_nothing_stores_no_event(self) -> None:
        given(Account()).when(lambda account: account.withdraw(0)).then_nothing()


if __name__ == "__main__":
    try:
        given(Account(), Deposited(700)).when(Account.withdraw, 300).then(Withdrawn(30))
    except AssertionError as failure:
        print(failure)
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout))
