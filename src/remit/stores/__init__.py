"""Where the ledger lives: memory for tests and short runs, SQLite as the embedded default.

Both run the reference interpreter on cells in memory; SQLite writes what each batch touched, together with its audit
records, before the answer leaves.
"""
