"""Checks the settings of a consumer that concern its group membership."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from odradek_actors.messages.consumers import MemberSettings
from odradek_actors.validation import seconds
from odradek_domain.group.assignors.kafka import Assignor
from odradek_domain.group.errors import UnknownAssignor
from odradek_domain.values.names import ConsumerId

__all__ = ["member_settings"]


def member_settings(
    known: Mapping[str, Assignor],
    assignors: Sequence[str],
    session_timeout: float,
    heartbeat_interval: float,
    max_poll_interval: float,
    instance_id: str | None,
) -> MemberSettings:
    """Return the checked settings; raise ValueError or TypeError for a bad value, UnknownAssignor for a bad name."""
    if not assignors:
        raise ValueError("assignors is empty; name at least one, such as 'range'")
    for name in assignors:
        if name not in known:
            raise UnknownAssignor(name, known)
    times = {
        "session_timeout": session_timeout,
        "heartbeat_interval": heartbeat_interval,
        "max_poll_interval": max_poll_interval,
    }
    for name, value in times.items():
        if seconds(name, value) <= 0:
            raise ValueError(f"{name} must be more than 0 seconds, not {value}")
    if heartbeat_interval >= session_timeout:
        raise ValueError(
            f"heartbeat_interval ({heartbeat_interval:g} s) must be less than session_timeout ({session_timeout:g} s), "
            "so that the session does not expire between heartbeats"
        )
    return MemberSettings(
        tuple(assignors),
        session_timeout,
        heartbeat_interval,
        max_poll_interval,
        None if instance_id is None else str(ConsumerId(instance_id)),
        all(known[name].is_cooperative for name in assignors),
    )
