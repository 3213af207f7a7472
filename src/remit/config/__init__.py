"""The policy file: read, checked, explained, compared. What others need of it is exported by its modules.

`compile` makes a policy of a text, `explain` says what it does, `diff` what changes, `schema` publishes the shape,
`secrets` finds what it only names.
"""
