"""The gateway: a reverse proxy that decides or refuses every request.

Two halves that know nothing of each other meet in `connection.py`, which is one page. Below it lies the data plane: bytes
of clients become exchanges (`server.py`), and calls become bytes to an upstream (`upstream.py`). Above it somebody decides.
The data plane has no policy and no limits of use; what it has are bounds, so that no peer can make it hold or compute
without end.
"""
