"""The actor that owns a consumer.

`actor` puts the parts together and fetches; `polling` is the poll under way; `membership` the consumer's side of the
group protocol; `session` its stream, its subscription and its commits. Imports `base` and the Consumer aggregate;
knows no other role.
"""

from odradek_actors.consumer.actor import ConsumerActor

__all__ = ["ConsumerActor"]
