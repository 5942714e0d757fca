"""For tests of your own aggregates: given what happened, when something is decided, then these events.

    from odradek.testing import given

    given(Account(), Opened("ann", 700)).when(Account.withdraw, 300).then(Withdrawn(300)).then_state(cents=400)

Needs no test framework. Tests of event stores are in `odradek_events.testing`, which needs pytest.
"""

from odradek_events.scenario import Outcome, Scenario, given

__all__ = ["Outcome", "Scenario", "given"]
