"""Tests of pytest that run in simulated worlds, with many seeds.

    decorator       @simulate, which turns a start function into a test
    runs            runs such a test, and shrinks and explains what fails
    debugging       stops in the debugger one step before a failure

Imports everything else of the simulation, `pytest_hooks` included, which has the options. Start reading at `decorator`.
"""

from odradek_simulation.plugin.decorator import simulate

__all__ = ["simulate"]
