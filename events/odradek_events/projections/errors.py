"""What can go wrong with projections and their views.

ProjectionError                 a LogError: see errors
├── ProjectionFailed            a projection raised an exception; its transaction was rolled back
├── ProjectionOutdated          the view was built by a different version of the projection
├── ViewsOfAnotherLog           the view was built from a different log or history
├── NotViews                    the file is not a views file
└── ViewsUnavailable            the views file cannot be read or written now
"""

from __future__ import annotations

from odradek_events.errors import LogError

__all__ = [
    "NotViews",
    "ProjectionError",
    "ProjectionFailed",
    "ProjectionOutdated",
    "ViewsOfAnotherLog",
    "ViewsUnavailable",
]


class ProjectionError(LogError):
    """A view cannot be built or continued."""

    code = "projection_error"


class ProjectionFailed(ProjectionError):
    """A projection raised an exception; position -1 means while creating its tables."""

    code = "projection_failed"

    def __init__(self, projection: str, position: int, error: Exception) -> None:
        where = "while creating its tables" if position < 0 else f"at position {position}"
        super().__init__(
            f"projection {projection!r} failed {where} ({error!r}), and its transaction was rolled back; fix the "
            "projection and run it again"
        )
        self.projection, self.position = projection, position


class ProjectionOutdated(ProjectionError):
    """The view was built by a different version of its projection."""

    code = "projection_outdated"

    def __init__(self, projection: str, found: int, wanted: int) -> None:
        super().__init__(
            f"the view of projection {projection!r} was built by version {found}, not {wanted}; rebuild the view"
        )
        self.projection, self.found, self.wanted = projection, found, wanted


class ViewsOfAnotherLog(ProjectionError):
    """The view was built from a different log or history."""

    code = "views_of_another_log"

    def __init__(self, projection: str, views: str, log: str, position: int) -> None:
        super().__init__(
            f"the view of projection {projection!r} in {views} was not built from {log}: they differ at position "
            f"{position}; use the log that it was built from, or rebuild the view"
        )
        self.projection, self.position = projection, position


class NotViews(ProjectionError):
    """The file is not a views file."""

    code = "not_views"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} is not a views file ({reason}) and was left unchanged; use another file")
        self.path = path


class ViewsUnavailable(ProjectionError):
    """The views file cannot be used now."""

    code = "views_unavailable"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the views in {name} cannot be read or written ({reason}); fix the cause and retry")
        self.name = name
