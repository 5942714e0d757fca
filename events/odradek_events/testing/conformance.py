"""The suite for every store: all cases that need only the log itself."""

from __future__ import annotations

from odradek_events.testing.appending import AppendCases
from odradek_events.testing.concurrency import ConcurrencyCases
from odradek_events.testing.conditions import ConditionCases
from odradek_events.testing.determinism import DeterminismCases
from odradek_events.testing.failures import FailureCases
from odradek_events.testing.projections import ProjectionCases
from odradek_events.testing.reading import ReadCases
from odradek_events.testing.repeats import RepeatCases
from odradek_events.testing.serialisation import SerialisationCases
from odradek_events.testing.subscriptions import SubscriptionCases

__all__ = ["LogConformance"]


class LogConformance(
    AppendCases,
    ReadCases,
    ConditionCases,
    ConcurrencyCases,
    RepeatCases,
    SerialisationCases,
    FailureCases,
    SubscriptionCases,
    ProjectionCases,
    DeterminismCases,
):
    """All cases for a log, whatever it is stored in. Subclass it with a `log` fixture.

    class TestMyLog(LogConformance):
        @pytest.fixture
        def log(self, tmp_path):
            with MyLog(tmp_path / "log") as log:
                yield log
    """
