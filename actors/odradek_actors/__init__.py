"""Who does what, when: actors that own the aggregates and communicate only by messages.

In order of their layers, where each imports only those before it:

    errors  logs  validation  settings     what goes wrong; logging; checks of arguments; what a system can be set to
    messages                               what actors send each other
    runtime                                time, ids, sending, promises, waiting, starting actors
    base                                   decide, append, apply, reply: the one loop
    infrastructure                         the actors that own the log, the snapshots and the directory
    topic  producer  consumer  group       the actors that own the aggregates; none imports another
    policy                                 the actor that reacts to events with commands
    client                                 the caller's side: ActorSystem and its handles
    verification                           the check of a whole log and its snapshots
    testing                                ActorKit, for actors of your own

Imports domain, events and pykka. Start reading at `base.event_sourced`, then `client.system`.
"""
