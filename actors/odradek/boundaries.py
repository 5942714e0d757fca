"""Study where consistency boundaries should lie: one workload under several of them, measured.

    from odradek.boundaries import Boundary, Lab, Workload, facts, load_model

    model = load_model("kafka")
    study = model.lab.compare(model.boundaries, model.workload, seeds=5, jobs=2)
    print(study.spread("broker", "conflict_share").mean)
    page = render_report("kafka", study, model.workload).html

A `Boundary` says which facts the append of a decision checks, a `Lab` declares a model of your own, and `load_model`
returns one that is shipped. `render_report` draws a study as a page, for which plots need `odradek[plots]`. `observe`
shows what a recorded log says about boundaries, and `write_ocel` exports it for process mining. `odradek boundaries`
does the same from the command line; docs/BOUNDARIES.md explains it.
"""

from odradek_boundaries.boundary import Boundary, Check, Unit, Units
from odradek_boundaries.decisions import Known
from odradek_boundaries.explain import Cell, Explanation
from odradek_boundaries.frame_check import Checked, CheckReport, Counterexample
from odradek_boundaries.lab import Lab, Model
from odradek_boundaries.metrics import METRICS, Metric
from odradek_boundaries.models.loading import load_model, shipped
from odradek_boundaries.observe import Observation, observe, write_ocel
from odradek_boundaries.read_sets import Facts, facts
from odradek_boundaries.recording import Recording
from odradek_boundaries.report import Curves, Report, measure_curves, render_report, require_matplotlib
from odradek_boundaries.run import Counts, Landed, Story
from odradek_boundaries.study import Result, Spread, Study
from odradek_boundaries.workload import Draw, Workload

__all__ = [
    "METRICS",
    "Boundary",
    "Cell",
    "Check",
    "CheckReport",
    "Checked",
    "Counterexample",
    "Counts",
    "Curves",
    "Draw",
    "Explanation",
    "Facts",
    "Known",
    "Lab",
    "Landed",
    "Metric",
    "Model",
    "Observation",
    "Recording",
    "Report",
    "Result",
    "Spread",
    "Story",
    "Study",
    "Unit",
    "Units",
    "Workload",
    "facts",
    "load_model",
    "measure_curves",
    "observe",
    "render_report",
    "require_matplotlib",
    "shipped",
    "write_ocel",
]
