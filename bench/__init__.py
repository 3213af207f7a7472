"""Speed as ratios: both sides measured in one run, interleaved, medians. `python -m bench` prints a table.

Absolute times say more about the machine than about the code; what is compared here runs on the same machine, in turns, in
the same minute. The code that is measured is the code that serves production.
"""
