"""The core decides and does nothing else: it is pure.

No I/O, no clock, no randomness, no waiting: everything that varies comes in as an argument and every answer is a value.
What it may read are tables that ship with the package (the pinned time zones), never the machine it runs on.
"""
