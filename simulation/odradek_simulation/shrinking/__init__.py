"""Shrinking: makes a failing run small enough to be understood.

    shrink           leaves out clients, faults and picks as long as the run fails in the same way
    regression_test  writes a shrunk failure as a test

Imports worlds and choices; what a recipe runs is given by the caller. Start reading at `shrink`.
"""

from odradek_simulation.shrinking.regression_test import regression_test
from odradek_simulation.shrinking.shrink import Progress, Shrunk, shrink

__all__ = ["Progress", "Shrunk", "regression_test", "shrink"]
