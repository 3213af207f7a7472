"""The cells: what the ledger counts in, one small file for each algorithm."""
