"""The cache of verified chains: it says what verifying would say, keeps only what was accepted, and stays small."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.contracts import (
    BY_REFERENCE,
    IN_HEADERS,
    ChainCache,
    ContractError,
    KeySet,
    NamedKey,
    TrustAnchors,
    VerifiedChain,
    verify_chain,
)
from remit.contracts.keys import PublicKey
from tests.contracts.cast import ED25519, KID, NOW_S, NOW_US, chain, child, key, root, trusted
from tests.contracts.plans import changed

ROTATED = trusted(keys=KeySet((NamedKey(KID, key("new").public),)))
BOTH = trusted(keys=KeySet((NamedKey("new", key("new").public), NamedKey(KID, ED25519.issuer.public))))
SECOND = 1_000_000

CHAINS = [
    chain(links=1),
    chain(links=2),
    chain(links=3),
    child(root(), seed="short", agent="x"),
    changed(2, lambda plan: plan.with_claims(exp=NOW_S + 5)),
    changed(0, lambda plan: plan.with_claims(nbf=NOW_S + 3), links=1),
    changed(1, lambda plan: plan.with_claims(exp=NOW_S + 9999)),
    chain()[:-1],
    "x",
]
TIMES = [NOW_US + offset * SECOND for offset in (-31, -30, 0, 3, 4, 5, 3599, 3600)]


def outcome(cache: ChainCache | None, text: str, anchors: TrustAnchors, now_us: int) -> VerifiedChain | str:
    try:
        if cache is None:
            return verify_chain(text, anchors, now_us=now_us)
        return cache.verify(text, anchors, now_us=now_us)
    except ContractError as error:
        return str(error)


@given(
    st.lists(
        st.tuples(st.sampled_from(CHAINS), st.sampled_from([trusted(), ROTATED, BOTH]), st.sampled_from(TIMES)),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_cached_answer_is_the_one_that_verifying_again_would_give(
    calls: list[tuple[str, TrustAnchors, int]],
) -> None:
    cache = ChainCache(max_entries=3)
    for text, anchors, now_us in calls:
        assert outcome(cache, text, anchors, now_us) == outcome(None, text, anchors, now_us)
        assert len(cache) <= 3


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every signature that is checked from now on."""
    checked: list[bytes] = []
    original = PublicKey.verifies

    def verifies(self: PublicKey, signature: bytes, message: bytes) -> bool:
        checked.append(signature)
        return original(self, signature, message)

    monkeypatch.setattr(PublicKey, "verifies", verifies)
    return checked


def test_a_chain_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text, checked, cache = chain(), counted(monkeypatch), ChainCache()
    first = cache.verify(text, trusted(), now_us=NOW_US)
    assert len(checked) == 3
    assert cache.verify(text, trusted(), now_us=NOW_US + SECOND) is first
    assert len(checked) == 3


def test_nothing_is_kept_past_its_end_or_before_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    text, checked, cache = chain(), counted(monkeypatch), ChainCache()
    cache.verify(text, trusted(), now_us=NOW_US)
    for now_us in (NOW_US + 3600 * SECOND, NOW_US - 31 * SECOND):
        with pytest.raises(ContractError):
            cache.verify(text, trusted(), now_us=now_us)
        cache.verify(text, trusted(), now_us=NOW_US)
    assert len(checked) == 3 * 3 + 2  # each refusal looks at the root again, and forgets what it found wanting


def test_other_anchors_or_bounds_are_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    text, checked, cache = chain(), counted(monkeypatch), ChainCache()
    for anchors in (trusted(), replace(trusted(), audience="x"), trusted(lifetime_s=3600)):
        for bounds in (IN_HEADERS, BY_REFERENCE):
            cache.verify(text, anchors, now_us=NOW_US, bounds=bounds)
    assert len(checked) == 18
    with pytest.raises(ContractError):
        cache.verify(text, ROTATED, now_us=NOW_US)


def test_what_was_refused_is_not_kept() -> None:
    cache = ChainCache()
    for number in range(50):
        with pytest.raises(ContractError):
            cache.verify(f"{chain()}{number}", trusted(), now_us=NOW_US)
    assert len(cache) == cache.text_bytes == 0


def test_a_flood_of_good_chains_stays_within_its_bounds() -> None:
    cache = ChainCache(max_entries=4, max_text_bytes=10_000)
    texts = [root(seed=f"flood {number}") for number in range(12)]
    for text in texts:
        cache.verify(text, trusted(), now_us=NOW_US)
        assert len(cache) <= 4
        assert cache.text_bytes <= 10_000
    assert cache.text_bytes == sum(len(text) for text in texts[-4:])
    cache.clear()
    assert len(cache) == cache.text_bytes == 0


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ChainCache(max_entries=2)
    first, second, third = (root(seed=f"order {number}") for number in range(3))
    for text in (first, second, first, third):
        cache.verify(text, trusted(), now_us=NOW_US)
    checked = counted(monkeypatch)
    cache.verify(first, trusted(), now_us=NOW_US)
    assert checked == []
    cache.verify(second, trusted(), now_us=NOW_US)
    assert len(checked) == 1


def test_a_chain_larger_than_all_room_is_verified_and_not_kept() -> None:
    cache = ChainCache(max_text_bytes=100)
    assert len(cache.verify(chain(), trusted(), now_us=NOW_US).chain.links) == 3
    assert len(cache) == 0


def test_a_text_over_its_bound_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(ContractError, match="too_large"):
        ChainCache().verify("\ud800" * 20_000, trusted(), now_us=NOW_US)
    with pytest.raises(ContractError, match="malformed"):
        ChainCache().verify("\ud800", trusted(), now_us=NOW_US)
