"""What a recorded log shows about its consistency boundaries, and its export for process mining. Layers:

    figures  selection            the values that an observation consists of; which events are looked at
    units                         units, and the hops between them
    conversations  tags  guesses  decisions by correlation id; tags of decisions; what might be merged or split
    observation  ocel             everything together: `observe`; the log as an object-centric event log

Reads a log once, in memory that does not grow with it. Start reading at `observation`.
"""

import odradek_events.types  # noqa: F401  # registers Odradek's own events: a log does not hold their tags
from odradek_boundaries.observe.figures import (
    Hop,
    KindFigures,
    Merge,
    Pattern,
    Split,
    TagUse,
    Together,
    UnitFigures,
    Window,
)
from odradek_boundaries.observe.observation import Observation, observe
from odradek_boundaries.observe.ocel import OcelSize, write_ocel

__all__ = [
    "Hop",
    "KindFigures",
    "Merge",
    "Observation",
    "OcelSize",
    "Pattern",
    "Split",
    "TagUse",
    "Together",
    "UnitFigures",
    "Window",
    "observe",
    "write_ocel",
]
