"""`odradek.verify`: the structural check of a log joined with the check that it can be folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.group.actor import GroupActor
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_actors.policy.actor import PolicyActor
from odradek_actors.producer.actor import ProducerActor
from odradek_actors.topic.actor import TopicActor, TopicActorSnapshot
from odradek_domain.replay.fold_check import FoldCheck, StateClaim
from odradek_events.errors import SnapshotsUnavailable
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.maintenance.verify import Finding, Verification
from odradek_events.maintenance.verify import verify as verify_structure
from odradek_events.record import Head
from odradek_events.snapshots.store import SnapshotStore, StoredSnapshot
from odradek_events.validation import check_instance

__all__ = ["verify"]

_SCHEMAS: dict[str, SnapshotSchema] = {
    schema.name: schema
    for schema in (
        TopicActor.snapshot_schema,
        ProducerActor.snapshot_schema,
        ConsumerActor.snapshot_schema,
        GroupActor.snapshot_schema,
        PolicyActor.snapshot_schema,
    )
}


def verify(
    log: ReadableLog,
    progress: Callable[[int], None] | None = None,
    *,
    head: Head | None = None,
    snapshots: SnapshotStore | None = None,
) -> Verification:
    """Check every commit of `log` as it is now; `progress` is told the last position read, now and then.

    Checks that positions and stream versions are gapless, that each digest continues the chain, that events decode,
    that recorded-at never runs backwards, that the index holds what the events say, the file's own structure, and that
    topics, producers, consumers, groups and policies can be folded. Whole commits missing from the end leave a valid
    chain: pass a `head` noted earlier, or `snapshots` taken of the log, and the log must still have those commits; it
    may have grown since. Snapshots must be the states that the fold gives. Raises nothing for what is wrong with the
    log. Streams of your own types are folded if their aggregate is registered (`odradek.aggregate`):
    `unfolded_streams` counts the others. One that cannot be folded is in `model_mistakes`. `stopped_policies` has the
    policies that stopped at an event they failed on. Memory grows with the state of the system, not with its log.
    """
    check_log(log)
    if snapshots is not None:
        check_instance("snapshots", snapshots, SnapshotStore, "a store of snapshots or None")
    findings: list[Finding] = []
    fold = FoldCheck(() if snapshots is None else _claims(snapshots, findings))
    found = verify_structure(log, progress, head=head, snapshots=snapshots, on_commit=fold.add)
    findings = [*found.findings, *findings, *(Finding(each.position, each.problem) for each in fold.findings)]
    return msgspec.structs.replace(
        found,
        findings=tuple(findings),
        model_mistakes=(*found.model_mistakes, *(Finding(each.position, each.problem) for each in fold.model_mistakes)),
        unfolded_streams=len(fold.unfolded_streams),
        stopped_policies=tuple(_stopped(fold)),
    )


def _stopped(fold: FoldCheck) -> Iterator[Finding]:
    for policy in fold.state.policies.values():
        if policy.stopped_at is not None:
            yield Finding(policy.stopped_at, f"policy {policy.name!r} stopped at this event: {policy.reason}")


def _claims(snapshots: SnapshotStore, findings: list[Finding]) -> Iterator[StateClaim]:
    """Yield what the snapshots of Odradek's own aggregates claim; those of older schemas are never used."""
    try:
        for mark in snapshots.scan():
            stored = snapshots.load(mark.end.stream, mark.end.version)
            if stored is None or stored.end != mark.end or not stored.is_intact:
                continue
            try:
                claim = _claim(stored)
            except Exception as error:  # of msgspec, or of a Struct's own __post_init__
                what = f"the snapshot of {stored.end.stream!r} at its version {stored.end.version}"
                findings.append(
                    Finding(stored.end.position, f"{what} cannot be decoded ({error}); delete the snapshots")
                )
            else:
                if claim is not None:
                    yield claim
    except SnapshotsUnavailable:  # the structural check notes it
        return


def _claim(stored: StoredSnapshot) -> StateClaim | None:
    schema = _SCHEMAS.get(stored.name)
    if schema is None or schema.version != stored.schema:
        return None
    decoded: Any = msgspec.json.decode(stored.payload, type=schema.type)
    created = None
    if isinstance(decoded, TopicActorSnapshot):
        decoded, created = decoded.topic, decoded.created_position
    claim = StateClaim.of(decoded, stored.end.stream, stored.end.position, created)
    return claim if claim.version == stored.end.version else msgspec.structs.replace(claim, version=stored.end.version)
