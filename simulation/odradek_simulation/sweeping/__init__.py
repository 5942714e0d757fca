"""Sweeps: many worlds of one target, and what they found.

    outcome         what is kept of each run, and the report of all
    checkpoint      the file that lets an interrupted sweep go on
    sweep           runs seeds on this process, on several, or on a cluster
    explore         runs every schedule of a tiny world within a limit

Imports worlds. Start reading at `sweep`.
"""

from odradek_simulation.sweeping.explore import Exploration, explore
from odradek_simulation.sweeping.outcome import FoundFailure, SeedOutcome, SweepReport
from odradek_simulation.sweeping.sweep import Progress, sweep

__all__ = ["Exploration", "FoundFailure", "Progress", "SeedOutcome", "SweepReport", "explore", "sweep"]
