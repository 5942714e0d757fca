"""The Journal: the only writer of the log. It commits all waiting appends together and sends each its verdict.

On the first append it sends itself a Flush. All appends that arrive before the Flush is handled become one durable
commit (group commit, as in UmaDB). If the outcome of a commit is unknown, the log is reopened, so that recovering
actors read what is really stored.
"""

from __future__ import annotations

from collections import deque

from odradek_actors.base.actor import ActorContext, OdradekActor
from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import Query, Recipient, Reply, Stop
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
        self._readers: list[Query] = []  # that wait for the log to grow
        self._answers: deque[tuple[Recipient, object]] = deque()  # not sent yet
        self._flush_is_sent = False
        self._must_reopen = False
        self.handlers = {
            JournalAppend: self._append,
            Flush: self._flush,
            Fence: self._fence,
            Query: self._await_growth,
            Stop: self._stop_orderly,
        }

    def is_busy(self) -> bool:
        """Return whether appends are waiting."""
        return bool(self._waiting)

    def _append(self, message: JournalAppend) -> None:
        self._request_flush()
        self._waiting.append(message)

    def _fence(self, message: Fence) -> None:
        self._request_flush()
        self._fences.append(message)

    def holds(self, request: object) -> bool:
        """Return whether a Flush will answer it."""
        return any(waiting is request for waiting in (*self._waiting, *self._fences, *self._readers))

    def _request_flush(self) -> None:
        if not self._flush_is_sent:
            self.send(self.actor_ref, Flush())
            self._flush_is_sent = True

    def _flush(self, _: Flush) -> None:
        self._flush_is_sent = False
        waiting, self._waiting = self._waiting, []
        fences, self._fences = self._fences, []
        if waiting:
            verdicts = self._commit(waiting)
            self._answers.extend((one.reply_to, JournalResult(its)) for one, its in zip(waiting, verdicts, strict=True))
            self._answers.extend((reader.reply_to, Reply(reader.request_id, None)) for reader in self._readers)
            self._readers.clear()
        self._answers.extend((fence.reply_to, Fenced(fence.number)) for fence in fences)
        while self._answers:
            self.send(*self._answers[0])
            self._answers.popleft()  # only now: if an exception comes first, the next Flush sends it

    def _await_growth(self, query: Query) -> None:
        """Answer an AwaitGrowth at once if the log has grown, otherwise after the next commit."""
        if self._event_log.head().position > query.body.after:
            self.reply(query, None)
        else:
            self._readers.append(query)

    def _commit(self, waiting: list[JournalAppend]) -> list[Verdict]:
        try:
            if self._must_reopen:
                self._event_log.reopen()
                self._must_reopen = False
            verdicts = self._event_log.append([message.append for message in waiting], self.runtime.now())
            assert len(verdicts) == len(waiting), f"the log gave {len(verdicts)} verdicts on {len(waiting)} appends"
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

    def on_stop(self) -> None:
        """Answer those that wait for the log to grow."""
        for reader in self._readers:
            self.reply(reader, ActorStopped("the journal"))
        super().on_stop()
