"""The actor of a policy, which reacts to events with commands to other actors.

`actor` reads the log, sends the commands and records the progress; `window` has the events that are under way. Imports
`base` and the PolicyProgress aggregate, but no other role. Start reading at `actor`.
"""

from odradek_actors.policy.actor import PolicyActor

__all__ = ["PolicyActor"]
