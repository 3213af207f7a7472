"""Every code of SQLite means something to an operator."""

import errno
import sqlite3
from pathlib import Path

from remit.errors import StoreError, StoreUnavailable
from remit.stores.sqlite_errors import DAMAGED, translated


def test_every_result_code_of_sqlite_has_an_error_of_ours(tmp_path: Path) -> None:
    codes = {
        name: value
        for name, value in vars(sqlite3).items()
        if name.startswith("SQLITE_") and isinstance(value, int) and 0 < value < 2**14 and "LIMIT" not in name
    }
    assert len(codes) > 50
    for name, value in codes.items():
        error = sqlite3.OperationalError(f"as sqlite says it: {name}")
        error.sqlite_errorcode = value
        ours = translated(error, tmp_path)
        assert isinstance(ours, StoreError), name
        assert str(tmp_path) in str(ours)
        assert isinstance(ours, StoreUnavailable) == ((value & 0xFF) not in DAMAGED), name
    assert isinstance(translated(OSError(errno.EIO, "Input/output error"), tmp_path), StoreUnavailable)
    assert isinstance(translated(sqlite3.ProgrammingError("closed"), tmp_path), StoreUnavailable)
