"""Conformance suites for stores, and FaultyLog, a log that fails on request, for your own tests.

A suite is a class of tests. Subclass it with a fixture that yields your store, and pytest runs the tests. Needs pytest
and hypothesis; FaultyLog, which is re-exported here, is in `odradek_events.log` and needs neither.

`conformance` is the suite for every log, with cases from `appending`, `reading`, `conditions`, `concurrency`,
`repeats`, `serialisation`, `failures`, `subscriptions`, `projections` and `determinism`. `durable` is the suite for
logs on disk; it kills processes that run `appender`. `snapshots` is the suite for snapshot stores. All use `suite` and
`samples`. Imports all of events. Start reading at `conformance`.
"""

import pkgutil

try:
    import hypothesis  # noqa: F401 - imported here, so that the error names the missing library
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"odradek_events.testing needs {error.name}, which is not installed; run: pip install 'odradek[testing]'",
        name=error.name,
    ) from error

pytest.register_assert_rewrite(*(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")))

from odradek_events.log.faulty import FaultyLog, Hold  # noqa: E402
from odradek_events.testing.conformance import LogConformance  # noqa: E402 - pytest only rewrites modules imported after the call
from odradek_events.testing.durable import DurableLogConformance  # noqa: E402
from odradek_events.testing.snapshots import SnapshotConformance  # noqa: E402

__all__ = ["DurableLogConformance", "FaultyLog", "Hold", "LogConformance", "SnapshotConformance"]
