"""The actor that owns a consumer.

`actor` handles commands and queries; `polling` serves the current poll; `membership` is the consumer's side of the
group protocol; `session` opens, subscribes, commits and closes. Imports `base` and the Consumer aggregate, but no other
role.
"""

from odradek_actors.consumer.actor import ConsumerActor

__all__ = ["ConsumerActor"]
