"""Explaining: shows what happened in a run, and what the nearest passing run did differently.

    story           the steps of a traced run as a story, which pictures draw
    nearest         finds a passing run that is as close as possible to a failing one
    explanation     both together, as a page, an SVG file or a table

Imports worlds and pictures; what a recipe runs is given by the caller. Start reading at `explanation`.
"""

from odradek_simulation.explaining.explanation import Explanation, explain
from odradek_simulation.explaining.nearest import nearest_passing
from odradek_simulation.explaining.story import story_of

__all__ = ["Explanation", "explain", "nearest_passing", "story_of"]
