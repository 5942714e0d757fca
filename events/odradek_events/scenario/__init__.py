"""Given-when-then tests of aggregates: given past events, when a command is decided, then these events result.

`scenario` has the steps and their checks; `report` writes the failure messages. Imports `facts`, `schema` and what
`schema` may import. Start reading at `scenario`.
"""

from odradek_events.scenario.report import difference_of
from odradek_events.scenario.scenario import Folded, Outcome, Scenario, given

__all__ = [
    "Folded",
    "Outcome",
    "Scenario",
    "difference_of",
    "given",
]
