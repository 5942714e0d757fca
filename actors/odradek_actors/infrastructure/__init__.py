"""The infrastructure actors: they own the log, the snapshots and the directory of streams.

`journal` is the only writer of the log; `log_reader` reads it for the other actors, through `commit_cache`;
`snapshot_writer` saves snapshots; `directory` starts and finds the actor of a stream. Imports `base`. Start reading at
`journal`.
"""

from odradek_actors.infrastructure.directory import ActorClass, DirectoryActor
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.infrastructure.snapshot_writer import SnapshotWriterActor

__all__ = ["ActorClass", "DirectoryActor", "JournalActor", "LogReaderActor", "SnapshotWriterActor"]
