"""Stories, what happened step by step: as swimlanes, as a page, and as a table for terminals.

The modules in layers, each of which imports only those above it:

    story                      the model: steps in lanes, at times
    difference  lanes  window  what a passing run did differently; the order of lanes; which steps are shown
    layout  shapes             where everything is; signs, letters and arrowheads
    run_drawing                the drawing of one run
    swimlanes  step_table      the whole picture; the same steps for terminals
    report                     a page about a story

Imports the modules beside it. Start reading at `story`, then at `swimlanes`.
"""

from odradek_pictures.stories.difference import Comparison, Difference, compare, describe_difference, find_difference
from odradek_pictures.stories.report import render_story, run_figure
from odradek_pictures.stories.step_table import format_steps
from odradek_pictures.stories.story import Kind, Step, Story
from odradek_pictures.stories.swimlanes import Swimlanes, draw_swimlanes

__all__ = [
    "Comparison",
    "Difference",
    "Kind",
    "Step",
    "Story",
    "Swimlanes",
    "compare",
    "describe_difference",
    "draw_swimlanes",
    "find_difference",
    "format_steps",
    "render_story",
    "run_figure",
]
