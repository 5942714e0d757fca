"""The model without actors: repositories and services over a log.

`repositories` load and save topics, messages and committed offsets; `services` are rules over them. Imports the
aggregates and, as only `replay` may too, the log's port. Start reading at `repositories`.
"""

from odradek_domain.standalone.repositories import (
    EventSourcedMessageRepository,
    EventSourcedOffsetRepository,
    EventSourcedTopicRepository,
    MessageRepository,
    OffsetRepository,
    TopicRepository,
)
from odradek_domain.standalone.services import OffsetManagementService, TopicManagementService

__all__ = [
    "EventSourcedMessageRepository",
    "EventSourcedOffsetRepository",
    "EventSourcedTopicRepository",
    "MessageRepository",
    "OffsetManagementService",
    "OffsetRepository",
    "TopicManagementService",
    "TopicRepository",
]
