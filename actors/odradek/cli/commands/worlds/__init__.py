"""The commands for simulated worlds: `odradek sweep`, `odradek shrink` and `odradek explain`.

    tokens          what a token repeats, and of which target
    progress        what is shown while runs are made
    sweep           runs a target with many seeds
    shrink          makes a failing run small
    explain         draws a run beside the nearest passing one

May import everything that commands may.
"""
