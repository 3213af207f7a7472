"""Where the control socket of a store lies: beside its file, or beside the policy when the store has no file."""

from pathlib import Path

from remit.core.policy import Policy
from remit.errors import UsageError

SQLITE = "sqlite:///"
MAX_SOCKET_PATH = 107


def control_path(policy: Policy, policy_path: Path) -> Path:
    """The socket's path. Raises `UsageError` if it is too long for a Unix socket (107 bytes)."""
    if policy.store.startswith(SQLITE):
        path = Path(policy.store.removeprefix(SQLITE) + ".sock")
    else:
        path = Path(f"{policy_path.absolute()}.sock")
    if len(str(path).encode()) > MAX_SOCKET_PATH:
        raise UsageError(f"the path of the control socket is too long for this system: `{path}`; use a shorter folder")
    return path
