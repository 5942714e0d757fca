"""Tests of your own aggregates: given past events, when a command is decided, then these events.

    from odradek.testing import given

    given(Account(), Opened("ann", 700)).when(Account.withdraw, 300).then(Withdrawn(300)).then_state(cents=400)

Tests of their actors: the kit restarts the actor after every command, and expects it to come back the same.

    from odradek.testing import ActorKit

    with ActorKit(AccountActor, "account/ann") as kit:
        assert kit.send(Withdraw(300)).events == [Withdrawn(300)]

Works with any test framework. The tests for stores of your own are in `odradek_events.testing`, which needs pytest.
"""

from odradek_actors.testing import ActorKit, Sent
from odradek_events.scenario.scenario import Outcome, Scenario, given

__all__ = ["ActorKit", "Outcome", "Scenario", "Sent", "given"]
