"""The incident, replayed: a payment API, a gateway in front of it, and an agent that will not stop.

`python -m demo` starts real processes on this machine, lets one agent's error loop run against a limit, and prints what
was stopped and how that is known. Every number it prints was counted in that run. `python -m demo --keep` starts the same
services and leaves them running to play with.
"""
