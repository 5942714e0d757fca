"""Simulations: clients that put a system to work, and checks of what must hold.

    errors          the errors of simulations
    checkers        judge what clients were told, and the log
    workload        runs producers, consumers and groups on an ActorSystem and judges what they saw
    choices         the choices that determine a simulated run, and the tokens that repeat it
    runtime         SeededRuntime: actors and clients on one thread, in virtual time, from one seed
    faults          what goes wrong in a world, and when
    world           World: a simulated run with clients, faults and checks
    chaos           our own system in worlds, with everything checked
    sweeping        runs many worlds of a target, on many processes
    shrinking       makes a failing run small
    explaining      shows what happened in a run, beside the nearest passing one
    demo            a crash in the middle of a rebalance, to look at
    pytest_hooks    what pytest calls in every run: the options of the plugin
    plugin          tests of pytest that run in worlds, with many seeds

Imports pictures, actors, domain and events, and never the face. Start reading at `world.world`.
"""
