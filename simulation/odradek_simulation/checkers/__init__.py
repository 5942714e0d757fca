"""Checkers: pure functions that judge a run, on threads or seeded, and return what they found.

    finding     what a checker returns
    coverage    sets of offsets
    ends        where a partition ends
    history     what clients did and what they were told; clients write it with a Recorder
    anomalies   the checks of a history, named after those of jepsen.tests.kafka
    groups      the checks of what a log says of groups and consumers
    invariants  the checks of a log, as it grows and as a whole, and of states that must be equal

Imports actors (for what handles return), domain and events, and no clock, thread or runtime. Start at `history`.
"""

from odradek_simulation.checkers.anomalies import HISTORY_CHECKS, check_history
from odradek_simulation.checkers.coverage import Coverage
from odradek_simulation.checkers.finding import Finding
from odradek_simulation.checkers.groups import GroupCheck
from odradek_simulation.checkers.history import (
    Commit,
    History,
    Operation,
    Outcome,
    Poll,
    Reassignment,
    Recorder,
    Send,
    Stretch,
)
from odradek_simulation.checkers.invariants import (
    AnswerCheck,
    InvariantChecker,
    check_log,
    check_replay,
    check_same_state,
)

__all__ = [
    "HISTORY_CHECKS",
    "AnswerCheck",
    "Commit",
    "Coverage",
    "Finding",
    "GroupCheck",
    "History",
    "InvariantChecker",
    "Operation",
    "Outcome",
    "Poll",
    "Reassignment",
    "Recorder",
    "Send",
    "Stretch",
    "check_history",
    "check_log",
    "check_replay",
    "check_same_state",
]
