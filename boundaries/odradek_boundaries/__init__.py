"""The boundary lab: where should a consistency boundary lie, and what does each choice cost?

A boundary is a function from the facts that a decision reads to the facts that its append checks. The log, the deciders
and the workload do not know which boundary runs. In order of their layers, where each imports only those before it:

    errors                          what can go wrong
    read_sets  workload             read-sets: facts by event class and field values; commands, arrivals and times
    boundary  decisions  recording  boundaries and units; deciders and invariants; workloads from a recorded log
    observe                         what a recorded log shows about boundaries
    history                         the facts of one run, their log, and states folded from them
    schedule  frame_check           the best that a boundary allows; a test of declared read-sets
    explain  run                    which boundary keeps which decision, without a run; one run in virtual time
    metrics                         every metric, with its formula
    study                           runs for several boundaries and seeds, and their results
    lab                             everything together: `Lab`
    report                          a study as a page: a matrix, plots and stories, with the reading of them
    models                          models that are ready to be studied

Imports pictures, domain and events, but no actors, no simulation and no face. Start reading at `boundary`, then `run`.
Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_boundaries.boundary import Boundary, Check, Unit, Units
    from odradek_boundaries.decisions import Known
    from odradek_boundaries.errors import (
        DecisionFailed,
        DecisionNotPure,
        InvalidModel,
        InvalidReadSet,
        InvalidWorkload,
        LabError,
        MatplotlibMissing,
        NotAReport,
    )
    from odradek_boundaries.explain import Cell, Explanation
    from odradek_boundaries.frame_check import Checked, CheckReport, Counterexample
    from odradek_boundaries.lab import Lab, Model
    from odradek_boundaries.metrics import METRICS, Metric
    from odradek_boundaries.read_sets import Facts, facts
    from odradek_boundaries.recording import Recording
    from odradek_boundaries.run import Counts, Landed, Story
    from odradek_boundaries.study import Result, Spread, Study
    from odradek_boundaries.workload import Draw, Workload
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "errors",
        "read_sets",
        "boundary",
        "workload",
        "decisions",
        "recording",
        "run",
        "metrics",
        "study",
        "explain",
        "frame_check",
        "lab",
    )

__all__ = [
    "METRICS",
    "Boundary",
    "Cell",
    "Check",
    "CheckReport",
    "Checked",
    "Counterexample",
    "Counts",
    "DecisionFailed",
    "DecisionNotPure",
    "Draw",
    "Explanation",
    "Facts",
    "InvalidModel",
    "InvalidReadSet",
    "InvalidWorkload",
    "Known",
    "Lab",
    "LabError",
    "Landed",
    "MatplotlibMissing",
    "Metric",
    "Model",
    "NotAReport",
    "Recording",
    "Result",
    "Spread",
    "Story",
    "Study",
    "Unit",
    "Units",
    "Workload",
    "facts",
]
