"""Projections: views of a log in SQLite tables, kept up to date.

`runner` feeds events to projections; `view_file` is the file with views and checkpoints; `shipped` has the projections
that come with Odradek; `errors` has the error classes. Imports `log`, `types` and what they may import. Start reading
at `runner`.

Names are imported on first use: importing an error class should not load SQLite.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_events.projections.errors import (
        NotViews,
        ProjectionError,
        ProjectionFailed,
        ProjectionOutdated,
        ViewsOfAnotherLog,
        ViewsUnavailable,
    )
    from odradek_events.projections.runner import Projection, ProjectionLag, ProjectionRunner
    from odradek_events.projections.shipped import ConsumerLag, MessagesByKey, TopicCatalogue, shipped_projections
    from odradek_events.projections.view_file import Checkpoint, ViewFile, open_views
else:
    __getattr__, __dir__ = lazy_names(__name__, "errors", "view_file", "runner", "shipped")

__all__ = [
    "Checkpoint",
    "ConsumerLag",
    "MessagesByKey",
    "NotViews",
    "Projection",
    "ProjectionError",
    "ProjectionFailed",
    "ProjectionLag",
    "ProjectionOutdated",
    "ProjectionRunner",
    "TopicCatalogue",
    "ViewFile",
    "ViewsOfAnotherLog",
    "ViewsUnavailable",
    "open_views",
    "shipped_projections",
]
