"""Where events go besides the audit log: the process's own log."""
