"""The canonical name of a cell: length-prefixed parts, so that no value can be mistaken for two.

The parts are the tenant, the limit's name, its kind, window and unit, then its dimensions as `name=value`. They decide
whether a counter is kept when the policy changes: same parts, same counter.
"""


def cell_key(*parts: str) -> str:
    """Join `parts` as netstrings: `4:acme,9:transfers,…`. Injective for any values."""
    return ",".join(f"{len(part)}:{part}" for part in parts)


def key_gate(key_id: str) -> str:
    """The gate of an API key: closed when the key is revoked or suspended."""
    return cell_key("-", "gate", "key", key_id)


def session_gate(session_id: str) -> str:
    """The gate of a session: closed when it has ended."""
    return cell_key("-", "gate", "session", session_id)


def lineage_gate(lineage: str) -> str:
    """The gate of one link of a contract chain, and so of everything derived from it."""
    return cell_key("-", "gate", "lineage", lineage)


def holder_gate(thumbprint: str) -> str:
    """The gate of a key that holds contracts, wherever in a chain it stands."""
    return cell_key("-", "gate", "holder", thumbprint)
