"""Mutations of a chain as a whole and of its signatures: links dropped, swapped and grafted, the wrong key, the wrong words."""

from collections.abc import Callable
from random import Random
from typing import Final, cast

from tests.contract_reference import families
from tests.contract_reference.forge import Case, Draft, pick, signer
from tests.contract_reference.signatures import THUMBPRINT_URI
from tests.contract_reference.strict_text import encode_base64url
from tests.contract_reference.trust import digest as hash_of

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
L: Final = 2**252 + 27742317777372353535851937790883648493


def any_draft(rng: Random, case: Case) -> Draft:
    """One of the links, the root included."""
    return rng.choice(case.drafts)


def child_draft(rng: Random, case: Case) -> Draft | None:
    """One of the links below the root, if there is one."""
    return rng.choice(case.drafts[1:]) if len(case.drafts) > 1 else None


def drop_a_link(rng: Random, case: Case) -> None:
    place = rng.randrange(len(case.drafts))
    case.rearrange = lambda links: links[:place] + links[place + 1 :]


def swap_links(rng: Random, case: Case) -> None:
    one, other = rng.randrange(len(case.drafts)), rng.randrange(len(case.drafts))

    def swap(links: list[str]) -> list[str]:
        links[one], links[other] = links[other], links[one]
        return links

    case.rearrange = swap


def repeat_a_link(rng: Random, case: Case) -> None:
    place, to = rng.randrange(len(case.drafts)), rng.randrange(len(case.drafts) + 1)
    case.rearrange = lambda links: [*links[:to], links[place], *links[to:]]


def shorten(rng: Random, case: Case) -> None:
    """What every ancestor may do: show the chain up to itself. It is good if there is something left."""
    keep = rng.randrange(len(case.drafts) + 1)
    case.rearrange = lambda links: links[:keep]


def graft(rng: Random, case: Case) -> None:
    """Links of another chain of the same people."""
    other = families.family(rng, depth=rng.randrange(1, 4)).chain.split("~")
    place = rng.randrange(len(case.drafts))
    case.rearrange = lambda links: links[:place] + other[min(place, len(other) - 1) :]


def sibling_parent(rng: Random, case: Case) -> None:
    """The same parent, signed a second time with another `jti`: only `par_hash` can tell."""
    if len(case.drafts) < 2:
        return
    place = rng.randrange(len(case.drafts) - 1)
    before = case.copy()
    before.drafts[place].claims["jti"] = f"sibling-{rng.randrange(9)}"
    replaced = before.chain().split("~")[place]
    case.rearrange = lambda links: [*links[:place], replaced, *links[place + 1 :]]


def one_link_more(rng: Random, case: Case) -> None:
    """Whoever holds the leaf derives once more, with the same words, and perhaps deeper than anybody allowed."""
    for number in range(rng.choice((1, 1, 1, 4, 9))):
        leaf = case.drafts[-1]
        more = leaf.copy()
        more.signer, more.holder = leaf.holder, families.holder_key(rng)
        more.header = {"alg": more.signer.alg, "typ": "aat+jwt"}
        more.claims["jti"] = f"more-{number}"
        more.claims["iss"] = more.claims["par_hash"] = ""
        more.claims["cnf"] = {"jwk": dict(more.holder.public)}
        more.claims["del_depth"] = cast(int, leaf.claims["del_depth"]) + 1
        for name in ("remit_org", "remit_user", "remit_account"):
            more.claims.pop(name, None)
        case.drafts.append(more)
    if rng.random() < 0.5:
        for draft in case.drafts:
            draft.claims["del_max_depth"] = rng.choice((8, 9)) if rng.random() < 0.05 else 8


def same_jti_twice(rng: Random, case: Case) -> None:
    any_draft(rng, case).claims["jti"] = any_draft(rng, case).claims["jti"]


def signed_by_another(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    other = signer(f"thief-{rng.randrange(3)}", draft.signer.alg if rng.random() < 0.7 else "EdDSA")
    if rng.random() < 0.5:
        draft.fixed.add("iss")
        draft.claims["iss"] = draft.claims["iss"] if draft is case.drafts[0] else draft.signer.uri
    draft.signer = other


def signed_by_itself(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.signer = draft.holder


def signed_by_the_root(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.signer = case.drafts[0].signer


def signed_by_a_grandparent(rng: Random, case: Case) -> None:
    place = rng.randrange(len(case.drafts))
    if place >= 2:
        case.drafts[place].signer = case.drafts[place - 2].holder


def handed_to_another(rng: Random, case: Case) -> None:
    """The holder in the claims changes, whoever signs the next link does not."""
    place = rng.randrange(len(case.drafts))
    other = families.holder_key(rng)
    case.drafts[place].claims["cnf"] = {"jwk": dict(other.public)}
    if rng.random() < 0.5 and place + 1 < len(case.drafts):
        case.drafts[place + 1].signer = other


def another_issuer_key(rng: Random, case: Case) -> None:
    root = case.drafts[0]
    name, alg = rng.choice((*families.ACME_KEYS, ("partner-1", "ES256"), ("acme-3", "EdDSA")))
    root.signer = signer(name, alg)
    root.header["alg"] = alg
    if rng.random() < 0.6:
        root.header["kid"] = rng.choice((name, "acme-1", "acme-2", "none"))
    if rng.random() < 0.3:
        root.header.pop("kid", None)


def _malleable(signature: bytes, message: bytes) -> bytes:
    """The other signature of ES256, which every verifier accepts; of Ed25519 the one that none may."""
    s = int.from_bytes(signature[32:])
    if len(signature) == 64 and 0 < s < P256_ORDER:
        return signature[:32] + (P256_ORDER - s).to_bytes(32)
    return signature


def _plus_order(signature: bytes, message: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "little") + L
    return signature[:32] + (s % 2**256).to_bytes(32, "little")


BENT: Final[tuple[Callable[[bytes, bytes], bytes], ...]] = (
    lambda signature, message: b"",
    lambda signature, message: bytes(64),
    lambda signature, message: signature[:-1],
    lambda signature, message: signature + b"\x00",
    lambda signature, message: signature[32:] + signature[:32],
    lambda signature, message: bytes([signature[0] ^ 1]) + signature[1:],
    lambda signature, message: signature[:-1] + bytes([signature[-1] ^ 1]),
    lambda signature, message: P256_ORDER.to_bytes(32) + signature[32:],
    lambda signature, message: signature[:32] + P256_ORDER.to_bytes(32),
    lambda signature, message: b"\x30\x44\x02\x20" + signature[:32] + b"\x02\x20" + signature[32:],
    _malleable,
    _plus_order,
)


def bend_a_signature(rng: Random, case: Case) -> None:
    any_draft(rng, case).signature = rng.choice(BENT)


def stolen_signature(rng: Random, case: Case) -> None:
    """A signature that the right key made, over something else."""
    draft = any_draft(rng, case)
    draft.signature = lambda signature, message: draft.signer.sign(message + b" ")


def bend_iss(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.fixed.add("iss")
    thumbprint = draft.signer.thumbprint
    draft.claims["iss"] = pick(
        rng,
        families.ISS, families.ISS + "/", families.ISS.upper(), families.ISS[:-1], families.PARTNER_ISS, "", None, 1,
        [families.ISS], thumbprint, THUMBPRINT_URI, THUMBPRINT_URI + thumbprint + "=", THUMBPRINT_URI.upper() + thumbprint,
        THUMBPRINT_URI + thumbprint.swapcase(), THUMBPRINT_URI + draft.holder.thumbprint, "no uri", draft.signer.uri,
    )  # fmt: skip


def bend_par_hash(rng: Random, case: Case) -> None:
    place = rng.randrange(len(case.drafts))
    draft = case.drafts[place]
    draft.fixed.add("par_hash")
    if rng.random() < 0.2:
        draft.claims.pop("par_hash", None)
        return
    text = case.copy().chain().split("~")
    links = [text[0], text[place], text[max(0, place - 1)], text[max(0, place - 2)]]
    chosen = rng.choice(links)
    signed = chosen.rpartition(".")[0].encode()
    digest = hash_of(rng.choice((signed, chosen.encode(), signed.partition(b".")[2])))
    draft.claims["par_hash"] = pick(
        rng,
        digest, digest, digest + "=", digest[:-1], digest.swapcase(), "", None, 1, [digest], encode_base64url(bytes(32)),
        hash_of(signed).encode().hex(),
    )  # fmt: skip


MUTATIONS: Final = (
    drop_a_link, swap_links, repeat_a_link, shorten, graft, graft, sibling_parent, one_link_more, one_link_more, same_jti_twice, signed_by_another,
    signed_by_itself, signed_by_the_root, signed_by_a_grandparent, handed_to_another, another_issuer_key, bend_a_signature,
    stolen_signature, bend_iss, bend_par_hash,
)  # fmt: skip
