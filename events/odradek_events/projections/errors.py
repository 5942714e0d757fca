"""What can go wrong with projections and their views.

ProjectionError                 a LogError: see errors
├── ProjectionFailed            a projection raised at an event; the view stands before that batch
├── ProjectionOutdated          the view was built by another version of the projection
├── ViewsOfAnotherLog           the view was built from another history than that of this log
├── NotViews                    the file is something else
└── ViewsUnavailable            the file of views cannot be read or written now
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
    """A projection's own code raised; position -1: while it made its tables."""

    code = "projection_failed"

    def __init__(self, projection: str, position: int, error: Exception) -> None:
        where = "while it made its tables" if position < 0 else f"at the event at position {position}"
        super().__init__(
            f"projection {projection!r} failed {where} ({error!r}); its view is as it was before that batch: mend it"
        )
        self.projection, self.position = projection, position


class ProjectionOutdated(ProjectionError):
    """The view was built by another version of its projection."""

    code = "projection_outdated"

    def __init__(self, projection: str, found: int, wanted: int) -> None:
        super().__init__(f"the view of projection {projection!r} has version {found}, not {wanted}; rebuild it")
        self.projection, self.found, self.wanted = projection, found, wanted


class ViewsOfAnotherLog(ProjectionError):
    """The log at the checkpoint is not the one that the view was built from."""

    code = "views_of_another_log"

    def __init__(self, projection: str, views: str, log: str, position: int) -> None:
        super().__init__(
            f"the view of projection {projection!r} in {views} was built from another history than that of {log}: at "
            f"position {position} they differ; name the right log, or rebuild the view"
        )
        self.projection, self.position = projection, position


class NotViews(ProjectionError):
    """The file holds no views."""

    code = "not_views"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} is not a file of views ({reason}); it was left untouched: name another file")
        self.path = path


class ViewsUnavailable(ProjectionError):
    """The file of views cannot be used now."""

    code = "views_unavailable"
    retriable = True

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the views in {name} cannot be read or written ({reason}); make room or wait, and try again")
        self.name = name
