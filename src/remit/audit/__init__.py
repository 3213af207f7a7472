"""The audit log as pure functions: records, their bytes, the chain, signed checkpoints, verification, words.

Sinks and stores write and read; nothing here does. `record` says what can be said, `encoding` turns it into one line of
canonical JSON (and keeps secrets and control characters out), `chain` links lines so that none can be changed, removed
or moved unnoticed, `checkpoint` signs where the chain stood, for keeping elsewhere, `verify` finds the first thing that
does not fit, and `words` tells a person what happened.
"""
