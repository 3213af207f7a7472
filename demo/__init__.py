"""The incident, replayed: a payment API, a gateway in front of it, and agents that will not stop.

`python -m demo` starts real processes on this machine. A person signs one contract, agents hand it on among themselves, and
an error loop runs against it with whatever key it can get; a thief copies it, its owner revokes it. What was stopped is
printed, and how that is known: every number was counted in that run. `python -m demo --keep` starts the same services
and leaves them running to play with.
"""
