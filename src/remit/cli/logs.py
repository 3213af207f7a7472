"""Logging to stderr, one plain line after another: time, level, where from, what; without secrets or control characters."""

import logging
import sys
import time

from remit.audit.safe_text import clean

LEVELS = ("debug", "info", "warning", "error")
MAX_LINE_CHARS = 4000


class PlainLines(logging.Formatter):
    """Formats a record as lines that are safe to show; a traceback is indented under its line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, every line of it cleaned."""
        first, *others = super().format(record).splitlines() or [""]
        return "\n".join(clean(line, max_chars=MAX_LINE_CHARS) for line in (first, *(f"  {line}" for line in others)))


def log_to_stderr(level: str) -> None:
    """Send every log record from `level` on to stderr; only this process's first call of it has an effect."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
