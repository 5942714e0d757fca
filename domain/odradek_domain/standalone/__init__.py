"""The model without actors: repositories and services over a log.

`repositories` load and save topics, messages and committed offsets; `services` offer operations on them. Imports the
aggregates and the log's port, which besides it only `replay` may import. Start reading at `repositories`.
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
