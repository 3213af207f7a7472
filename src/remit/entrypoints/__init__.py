"""Where calls come in: each entrypoint translates one way of calling into a request the engine understands, and back."""
