"""Who does what, when: actors that own the aggregates and talk only by messages.

`protocol` holds every message; `runtime` what an actor may ask of the world; `actor` and `event_sourced` the bases;
`journal`, `log_reader` and `directory` the infrastructure; `topic_actor`, `producer_actor` (with `lane` and
`producer_delivery`), `consumer_actor`, `group_actor` the owners; `producer_handle`, `consumer_handle` and `system` the
way in from outside.
Imports domain, events and pykka. Start reading at `event_sourced`.
"""
