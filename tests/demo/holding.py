"""Chains for the demo's agents, made without a gateway."""

import os
import time
from functools import cache

from demo.cast import ISS
from demo.holder import Holder
from remit.contracts import Algorithm, Asking, Issuer, issue_root, new_private_key

ISSUER = Issuer(ISS, new_private_key(os.urandom))


def holder(name: str = "risk-check") -> Holder:
    """Somebody with a new key and a root of their own, that may be handed on three times."""
    key = new_private_key(os.urandom, Algorithm.ES256)
    chain = issue_root(
        ISSUER, holder=key.public, asking=Asking(tools={"payments.transfer": {}}, agent=name, max_depth=3),
        lifetime_s=3600, now_us=time.time_ns() // 1000, random_bytes=os.urandom,
    )  # fmt: skip
    return Holder(name, key, chain)


@cache
def some_holder() -> Holder:
    """One that a test does not change."""
    return holder()
