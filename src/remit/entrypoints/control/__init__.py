"""The control socket: how the command line speaks to the process that owns a store.

A Unix socket of mode 0600 beside the store file; one line of JSON asks, one line answers. Who may open the socket may
command, so the file system's permissions are the authentication, and the peer's user id is what the audit log names.
"""
