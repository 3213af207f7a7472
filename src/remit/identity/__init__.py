"""Who is calling: API keys and sessions, as pure functions over bytes and records.

Nothing here reads a file or a clock: randomness comes as `random_bytes`, time as `now_us` (microseconds since the Unix
epoch by the store's clock), and records are kept by the caller.
"""
