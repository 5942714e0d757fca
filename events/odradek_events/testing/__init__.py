"""For tests of your own: a log that fails on request, and suites that show whether a store keeps its promises.

The suites are classes with tests and without a log; a subclass that pytest finds, with a fixture, runs them. Each case
has a module of its own; `samples` holds what they append. Start reading at `conformance`.
"""

import pkgutil

try:
    import hypothesis  # noqa: F401 - asked for here, so that its absence is one sentence
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
