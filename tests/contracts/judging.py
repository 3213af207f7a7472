"""What the guard of the tests says about a chain."""

import pytest

from remit.contracts import IN_HEADERS, Bounds, ContractError, TrustAnchors, verify_chain
from tests.contracts.cast import NOW_US, trusted


def refusal(
    text: str, anchors: TrustAnchors | None = None, *, now_us: int = NOW_US, bounds: Bounds = IN_HEADERS
) -> ContractError:
    """The error with which a chain is refused; fails where it is not."""
    with pytest.raises(ContractError) as caught:
        verify_chain(text, anchors or trusted(), now_us=now_us, bounds=bounds)
    return caught.value


def accepts(
    text: str, anchors: TrustAnchors | None = None, *, now_us: int = NOW_US, bounds: Bounds = IN_HEADERS
) -> bool:
    """Whether a chain is accepted. Any other error than a refusal comes through."""
    try:
        verify_chain(text, anchors or trusted(), now_us=now_us, bounds=bounds)
    except ContractError:
        return False
    return True
