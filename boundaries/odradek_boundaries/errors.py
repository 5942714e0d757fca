"""What can go wrong in the lab.

LabError                        also a ValueError
├── InvalidReadSet              a read-set names a class or a field that does not exist, or that no tag covers
├── InvalidModel                a boundary, an invariant or a command does not fit the model
├── InvalidWorkload             a workload that measures nothing, or contradicts itself
├── DecisionFailed              a decider or an invariant raised an error that is not a refusal
├── DecisionNotPure             a decider decided the same thing differently
├── MatplotlibMissing           matplotlib is not installed; also an ImportError
└── NotAReport                  the file is not a report of this version
"""

from __future__ import annotations

from odradek_events.errors import reduce_error

__all__ = [
    "DecisionFailed",
    "DecisionNotPure",
    "InvalidModel",
    "InvalidReadSet",
    "InvalidWorkload",
    "LabError",
    "MatplotlibMissing",
    "NotAReport",
]


class LabError(ValueError):
    """Base class of the lab's errors."""

    code = "lab_error"
    retriable = False
    __reduce__ = reduce_error


class InvalidReadSet(LabError):
    """A read-set that cannot be read: a class or field that does not exist, or a field that no tag covers."""

    code = "invalid_read_set"


class InvalidModel(LabError):
    """A boundary, an invariant or a command that does not fit the model."""

    code = "invalid_model"


class InvalidWorkload(LabError):
    """A workload that measures nothing, or contradicts itself."""

    code = "invalid_workload"


class DecisionFailed(LabError):
    """A decider or an invariant raised an error that is not a refusal."""

    code = "decision_failed"


class DecisionNotPure(LabError):
    """A decider decided differently on the same facts."""

    code = "decision_not_pure"


class MatplotlibMissing(LabError, ImportError):
    """The plots of a report need matplotlib, which is not installed."""

    code = "matplotlib_missing"

    def __init__(self) -> None:
        super().__init__(
            "the plots of a report need matplotlib, which is not installed; run: pip install 'odradek[plots]'"
        )


class NotAReport(LabError):
    """The file is not a report that this version reads."""

    code = "not_a_report"
