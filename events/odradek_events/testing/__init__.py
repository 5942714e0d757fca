"""Suites that show whether a store keeps its promises, and a log that fails on request, for tests of your own.

A suite is a class with tests; subclass it with a fixture that gives the store, and pytest runs the tests. Needs pytest
and hypothesis; FaultyLog, which is offered here too, is in `odradek_events.log` and needs neither.

`conformance` is the suite for every log: `appending`, `reading`, `conditions`, `concurrency`, `repeats`,
`serialisation`, `failures`, `subscriptions`, `projections` and `determinism` hold its cases. `durable` is the suite for
logs on disk, on `appender`, the process that it kills; `snapshots` the suite for snapshot stores. All stand on `suite`
and `samples`. Imports all of events. Start reading at `conformance`.
"""

import pkgutil

try:
    import hypothesis  # noqa: F401 - asked for here, so that one sentence says what is missing
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"odradek_events.testing needs {error.name}, which is not installed; pip install 'odradek[testing]'",
        name=error.name,
    ) from error

pytest.register_assert_rewrite(*(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")))

from odradek_events.log.faulty import FaultyLog, Hold  # noqa: E402
from odradek_events.testing.conformance import LogConformance  # noqa: E402 - pytest rewrites what comes after the call
from odradek_events.testing.durable import DurableLogConformance  # noqa: E402
from odradek_events.testing.snapshots import SnapshotConformance  # noqa: E402

__all__ = ["DurableLogConformance", "FaultyLog", "Hold", "LogConformance", "SnapshotConformance"]
