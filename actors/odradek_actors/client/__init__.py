"""The caller's side of the mailbox: the system and its handles. Only this package blocks while it waits for answers.

`engine` starts a system, queries its actors and stops them in order; `topics`, `groups` and `system` add the methods
of ActorSystem; `replay_check` compares live aggregates with the log, for which `own_aggregates` makes those of
user-defined actors. `producer` and `consumer` are the handles, with `consumer_commits`, `uncommitted` (the offsets that
a commit would cover), `rebalance_listener` and `member_settings`. A caller can be interrupted at any bytecode, so
nothing here may hold a lock that an actor takes.
May import every other package of `odradek_actors`. Start reading at `system`.
"""

from odradek_actors.client.consumer import ConsumerHandle
from odradek_actors.client.consumer_commits import AutoOffsetReset
from odradek_actors.client.producer import Acks, ProducerHandle, Unacknowledged
from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.replay_check import ReplayCheck
from odradek_actors.client.system import ActorHandle, ActorSystem

__all__ = [
    "Acks",
    "ActorHandle",
    "ActorSystem",
    "AutoOffsetReset",
    "ConsumerHandle",
    "ProducerHandle",
    "RebalanceListener",
    "ReplayCheck",
    "Unacknowledged",
]
