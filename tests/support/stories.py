"""Stories for tests of pictures: a builder, a race with its passing run, and text that tries to break out."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from odradek_pictures import Kind, Step, Story

__all__ = ["HOSTILE", "StoryBuilder", "acknowledged_too_soon", "stored_message", "zombie_commit"]

HOSTILE = (
    "<script>alert(1)</script> & \"'> ]]> <!-- \x00\x1b[31m\ud800 \u202egnp.exe\u2066 שלום é 漢字 👩\u200d💻 \r\n\tend"
)
"""Markup, control characters, a lone surrogate, bidirectional overrides, and characters of every width."""


@dataclass
class StoryBuilder:
    """Collects steps, a millisecond apart."""

    steps: list[Step] = field(default_factory=list)
    at: float = 0.0

    def add(
        self,
        lane: str,
        kind: Kind,
        label: str,
        detail: str = "",
        *,
        cause: int | None = None,
        peer: str = "",
        until: int | None = None,
    ) -> int:
        """Add a step and return its number."""
        number = len(self.steps)
        at = round(self.at, 6)
        self.steps.append(
            Step(
                number=number,
                at=at,
                lane=lane,
                kind=kind,
                label=label,
                detail=detail,
                cause=cause,
                peer=peer,
                until=until,
            )
        )
        self.at += 0.001
        return number

    def send(self, sender: str, recipient: str, label: str, detail: str = "") -> int:
        """Add the sending of a message, and return its number."""
        return self.add(sender, Kind.SENT, label, detail, peer=recipient)

    def handle(self, number: int) -> int:
        """Add the handling of a message that was sent, and return the number of that."""
        sent = self.steps[number]
        return self.add(sent.peer, Kind.HANDLED, sent.label, sent.detail, cause=number)

    def story(self, title: str = "A story") -> Story:
        """Return the story so far."""
        return Story(title=title, steps=tuple(self.steps))


def zombie_commit(*, failing: bool) -> Story:
    """Return a run in which a paused member commits: after another one joined, which fails, or before it."""
    run = StoryBuilder()
    run.add("client a", Kind.FAULT, "pause", until=4)
    run.at += 1.0
    run.add("group/g", Kind.TIMER, "session time-out", "member a")
    run.add("client b", Kind.RESUMED, "start")
    join = run.send("client b", "group/g", "Join", "member b")
    run.add("client a", Kind.RESUMED, "poll")
    commit = run.send("client a", "group/g", "Commit", "generation 1, offset 3")
    for number in (join, commit) if failing else (commit, join):
        run.handle(number)
    if failing:
        run.add("group/g", Kind.FAILED, "a commit belongs to the current generation", "offset 3 of generation 1 in 2")
    return run.story("Zombie commit")


def acknowledged_too_soon(*, failing: bool) -> Story:
    """Return a run that acknowledges before it stores; if it fails, the process crashes in between."""
    run = StoryBuilder()
    append = run.send("client a", "topic/t", "Append", "1 tea")
    run.handle(append)
    store = run.send("topic/t", "journal", "Store")
    receipt = run.send("topic/t", "client a", "Receipt", "offset 0")
    run.handle(receipt)
    if failing:
        run.add("", Kind.FAULT, "crash", "actors, mailboxes and timers are gone")
        run.add("", Kind.FAILED, "no acknowledged message is lost", "offset 0 of t")
    else:
        run.handle(store)
    return run.story("Acknowledged too soon")


def stored_message(*, fault: str = "", clients: str = "a") -> Story:
    """Return a run in which clients have messages stored in turn, through a journal in the background."""
    run = StoryBuilder()
    run.handle(run.send("journal", "journal", "Flush"))
    sent = {name: run.send(f"client {name}", "topic/t", "Append", name) for name in sorted(clients)}
    for name in clients:
        run.handle(sent[name])
        run.handle(run.send("topic/t", "journal", "Store"))
        if fault:
            run.add("journal", Kind.FAULT, fault)
        run.handle(run.send("journal", "topic/t", "Stored"))
        run.handle(run.send("topic/t", f"client {name}", "Receipt"))
    return msgspec.structs.replace(run.story("Stored"), background=("journal",))
