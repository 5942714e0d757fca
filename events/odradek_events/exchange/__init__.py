"""Export logs for other programs, and import them.

`jsonl` writes and reads JSON Lines, which contain the whole log; `parquet` writes Parquet, for analysis; `data_frame`
returns events as a pandas DataFrame; `errors` has the error classes. Imports `maintenance`, `sqlite`, `log` and what
they may import. Start reading at `jsonl`.

Names are imported on first use: importing an error class should not load SQLite.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_events.exchange.data_frame import to_pandas
    from odradek_events.exchange.errors import DamagedExport, ExchangeError, ExportTooNew, LibraryMissing, NotAnExport
    from odradek_events.exchange.jsonl import (
        EXPORT_FORMAT,
        EXPORT_VERSION,
        Imported,
        export_log,
        import_log,
        new_export,
        write_lines,
    )
    from odradek_events.exchange.parquet import export_parquet, write_parquet
else:
    __getattr__, __dir__ = lazy_names(__name__, "data_frame", "errors", "jsonl", "parquet")

__all__ = [
    "EXPORT_FORMAT",
    "EXPORT_VERSION",
    "DamagedExport",
    "ExchangeError",
    "ExportTooNew",
    "Imported",
    "LibraryMissing",
    "NotAnExport",
    "export_log",
    "export_parquet",
    "import_log",
    "new_export",
    "to_pandas",
    "write_lines",
    "write_parquet",
]
