"""Tests of aggregates in three steps: given what happened, when something is decided, then these events.

`scenario` has the steps and the checks behind them; `report` writes the text of a failure. Imports `schema` and what
`schema` may import. Start reading at `scenario`.
"""

from odradek_events.scenario.report import difference_of, facts_of
from odradek_events.scenario.scenario import Folded, Outcome, Scenario, given

__all__ = [
    "Folded",
    "Outcome",
    "Scenario",
    "difference_of",
    "facts_of",
    "given",
]
