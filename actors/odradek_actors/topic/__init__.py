"""The actor that owns a topic. Imports `base` and the Topic aggregate; knows no other role."""

from odradek_actors.topic.actor import TopicActor, TopicActorSnapshot

__all__ = ["TopicActor", "TopicActorSnapshot"]
