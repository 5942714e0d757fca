"""The event log's port, the code that all stores share, and the stores that need no file.

`port` states the contract and implements reading on a store's primitives; `judging` decides append requests; `queries`
matches events; `subscription` follows a growing log; `checker` checks that stored commits form a sound log; `memory` is
a log in memory, and `faulty` a log that fails on request, for tests. Imports `schema` and what `schema` may import.
Start reading at `port`.

FaultyLog and Hold are imported on first use, since programs in production do not need them.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names
from odradek_events.log.checker import Checker
from odradek_events.log.judging import EMPTY_DIGEST, Judged, chain, chain_raw, judge, split_stream
from odradek_events.log.memory import MemoryLog
from odradek_events.log.port import EventLog, LogStore, ReadableLog, check_log
from odradek_events.log.queries import Matcher, check_bounds, check_items, merged
from odradek_events.log.subscription import Growth, Subscription

if TYPE_CHECKING:
    from odradek_events.log.faulty import FaultyLog, Hold
else:
    __getattr__, __dir__ = lazy_names(__name__, "faulty")

__all__ = [
    "EMPTY_DIGEST",
    "Checker",
    "EventLog",
    "FaultyLog",
    "Growth",
    "Hold",
    "Judged",
    "LogStore",
    "Matcher",
    "MemoryLog",
    "ReadableLog",
    "Subscription",
    "chain",
    "chain_raw",
    "check_bounds",
    "check_items",
    "check_log",
    "judge",
    "merged",
    "split_stream",
]
