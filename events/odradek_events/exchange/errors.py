"""What can go wrong with an export of a log.

LogError
└── ExchangeError               an export cannot be written or imported
    ├── NotAnExport             the file is not an export
    ├── ExportTooNew            a newer Odradek wrote the export
    ├── DamagedExport           a line of the export is damaged
    └── LibraryMissing          the format needs a library that is not installed
"""

from __future__ import annotations

from odradek_events.errors import LogError

__all__ = ["DamagedExport", "ExchangeError", "ExportTooNew", "LibraryMissing", "NotAnExport"]


class ExchangeError(LogError):
    """An export cannot be written or imported."""

    code = "exchange_failed"


class NotAnExport(ExchangeError):
    """The file is not an export."""

    code = "not_an_export"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is not an export of a log ({reason}); create one as JSON Lines with 'odradek export'")
        self.name, self.reason = name, reason


class ExportTooNew(ExchangeError):
    """The export was written by a newer Odradek."""

    code = "export_too_new"

    def __init__(self, name: str, found: int, known: int) -> None:
        super().__init__(
            f"{name} has export format {found}, but this Odradek supports formats up to {known}; upgrade Odradek to "
            "import it"
        )
        self.name, self.found, self.known = name, found, known


class DamagedExport(ExchangeError):
    """A line of the export is damaged; no log was created."""

    code = "damaged_export"

    def __init__(self, name: str, line: int, reason: str) -> None:
        super().__init__(f"line {line} of {name} is damaged: {reason}; no log was created, export the log again")
        self.name, self.line, self.reason = name, line, reason


class LibraryMissing(ExchangeError):
    """A format needs a library that is not installed."""

    code = "library_missing"

    def __init__(self, form: str, library: str, extra: str) -> None:
        super().__init__(f"{form} needs the library {library}, which is not installed; run: pip install '{extra}'")
        self.form, self.library, self.extra = form, library, extra
