"""For tests of your own aggregates: given what happened, when something is decided, then these events.

    from odradek.testing import given

    given(Account(), Opened("ann", 700)).when(Account.withdraw, 300).then(Withdrawn(300)).then_state(cents=400)

And for tests of their actors: each command is answered, and after each the actor is restarted and must be the same.

    from odradek.testing import ActorKit

    with ActorKit(AccountActor, "account/ann") as kit:
        assert kit.send(Withdraw(300)).events == [Withdrawn(300)]

Needs no test framework. Tests of event stores are in `odradek_events.testing`, which needs pytest.
"""

from odradek_actors.testing import ActorKit, Sent
from odradek_events.scenario.scenario import Outcome, Scenario, given

__all__ = ["ActorKit", "Outcome", "Scenario", "Sent", "given"]
