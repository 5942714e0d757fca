"""The port of the event log, what all stores share, and the stores that need no file.

`port` states the contract and builds all ways to read on a few primitives of a store; `judging` decides on append
requests; `queries` matches events; `subscription` reads on as the log grows; `checker` says whether commits may follow
one another; `memory` is a log in memory, and `faulty` one that fails on request, for tests. Imports `schema` and what
`schema` may import. Start reading at `port`.

FaultyLog and Hold are imported when they are first used: programs in production do without them.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names
from odradek_events.log.checker import Checker
from odradek_events.log.judging import EMPTY_DIGEST, Judged, chain, chain_raw, judge, split_stream
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import EventLog, LogStore, ReadableLog
from odradek_events.log.queries import merged
from odradek_events.log.subscription import Subscription

if TYPE_CHECKING:
    from odradek_events.log.faulty import FaultyLog, Hold
else:
    __getattr__, __dir__ = lazy_names(__name__, "faulty")

__all__ = [
    "EMPTY_DIGEST",
    "Checker",
    "EventLog",
    "FaultyLog",
    "Hold",
    "Judged",
    "LogStore",
    "MemoryLog",
    "ReadableLog",
    "Subscription",
    "chain",
    "chain_raw",
    "judge",
    "merged",
    "split_stream",
]
