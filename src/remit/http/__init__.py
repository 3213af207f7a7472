"""HTTP without I/O: what request bytes mean and how answers are spelt.

Everything here turns bytes into judged values or values into header text. Nothing opens a socket; the entrypoints do.
"""
