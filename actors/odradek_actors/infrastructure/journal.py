"""The Journal: the only writer of the log. It commits all waiting appends together and sends each its verdict.

On the first append it sends itself a Flush. All appends that arrive before the Flush is handled become one durable
commit (group commit, as in UmaDB). If the outcome of a commit is unknown, the log is reopened, so that recovering
actors read what is really stored.
"""

from __future__ import annotations

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.messages.core import Stop
from odradek_actors.messages.log import Fence, Fenced, Flush, JournalAppend, JournalResult
from odradek_events.errors import LogError, LogUnavailable
from odradek_events.log.port import LogStore
from odradek_events.record import Failed, Verdict

__all__ = ["JournalActor"]


class JournalActor(OdradekActor):
    """Owns the log's write connection."""

    def __init__(self, context: ActorContext, log: LogStore) -> None:
        super().__init__(context)
        self._event_log = log
        self._waiting: list[JournalAppend] = []
        self._fences: list[Fence] = []
        self._flush_is_sent = False
        self._must_reopen = False
        self.handlers = {JournalAppend: self._append, Flush: self._flush, Fence: self._fence, Stop: self._stop_orderly}

    def is_busy(self) -> bool:
        """Return whether appends are waiting."""
        return bool(self._waiting)

    def _append(self, message: JournalAppend) -> None:
        self._waiting.append(message)
        self._request_flush()

    def _fence(self, message: Fence) -> None:
        self._fences.append(message)
        self._request_flush()

    def _request_flush(self) -> None:
        if not self._flush_is_sent:
            self._flush_is_sent = True
            self.send(self.actor_ref, Flush())

    def _flush(self, _: Flush) -> None:
        self._flush_is_sent = False
        waiting, self._waiting = self._waiting, []
        fences, self._fences = self._fences, []
        if waiting:
            for message, verdict in zip(waiting, self._commit(waiting), strict=True):
                self.send(message.reply_to, JournalResult(verdict))
        for fence in fences:
            self.send(fence.reply_to, Fenced(fence.number))

    def _commit(self, waiting: list[JournalAppend]) -> list[Verdict]:
        try:
            if self._must_reopen:
                self._event_log.reopen()
                self._must_reopen = False
            verdicts = self._event_log.append([message.append for message in waiting], self.runtime.now())
        except LogError as error:
            self._must_reopen = True
            return [Failed(error)] * len(waiting)
        except BaseException as raised:  # a bug here or in the store: the outcome is unknown
            self._must_reopen = True
            self.log.error("append failed", error=repr(raised), exc_info=raised)
            return [Failed(LogUnavailable(self._event_log.name, repr(raised)))] * len(waiting)
        if any(isinstance(verdict, Failed) for verdict in verdicts):
            self._reopen()
        return verdicts

    def _reopen(self) -> None:
        try:
            self._event_log.reopen()
        except LogError as error:
            self._must_reopen = True  # the next append tries again
            self.log.error("log cannot be reopened", error=str(error))

    def _stop_orderly(self, _: Stop) -> None:
        self._flush(Flush())
        self.stop()
