"""Shrinking: makes a failing run small enough to be understood.

    shrink          leaves out clients, faults and picks as long as the run fails in the same way

Imports worlds and choices; what a recipe runs is given by the caller. Start reading at `shrink`.
"""

from odradek_simulation.shrinking.shrink import Shrunk, shrink

__all__ = ["Shrunk", "shrink"]
