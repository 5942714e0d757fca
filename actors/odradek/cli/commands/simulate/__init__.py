"""`odradek simulate`: concurrent producers and consumers in this process, and whether the system kept its promises.

    opened_log      the log: in memory, or a new file
    threads         runs a workload on threads
    world           runs a workload in a world, from a seed, with faults
    command         the command: its options, and what they cannot be combined with

Start reading at `command`.
"""

from odradek.cli.commands.simulate.command import simulate

__all__ = ["simulate"]
