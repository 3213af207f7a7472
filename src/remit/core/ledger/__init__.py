"""The ledger: one closed vocabulary of operations, applied to a state of cells and holds in one atomic step.

Read `operations` for the words, `state` for what they act on, `interpreter` for the law. Every store must answer as the
interpreter does; `remit.testing` ships the suite that checks it.
"""
