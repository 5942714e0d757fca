"""The actor that owns a producer.

`actor` takes sends and routes them; `outbox` holds what waits and what is unanswered for one topic; `delivery` sends
batches again until they are answered; `registration` owns the producer's stream: registration, epochs, the number of
acknowledged messages, which `acknowledged` counts. Imports `base` and the Producer aggregate; knows no other role.
"""

from odradek_actors.producer.actor import ProducerActor

__all__ = ["ProducerActor"]
