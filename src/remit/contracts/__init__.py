"""Contracts: signed capabilities that agents carry, hand on narrower, and prove to hold. Pure: bytes and keys in, values out.

    key = new_private_key(os.urandom)                                     # each agent has one
    root = issue_root(Issuer(iss, issuer_key), holder=a.public, asking=Asking(tools=...), ...)
    chain = derive(root, a, holder=b.public, asking=Asking(tools=...), ...)       # offline
    verified = verify_chain(chain, anchors, now_us=now_us)                # offline, too
    proof = verify_dpop(headers, call, ath=verified.ath, thumbprint=verified.leaf_key.thumbprint, now_us=now_us)

The wire format is that of draft-niyikiza-oauth-attenuating-agent-tokens-01. Nothing here reads a clock, a file or a socket,
or remembers anything, but for `ChainCache`, which remembers what was verified.
"""

from remit.contracts.anchors import TrustAnchors, TrustedIssuer
from remit.contracts.bounds import BY_REFERENCE, IN_HEADERS, Bounds, Freshness
from remit.contracts.cache import ChainCache
from remit.contracts.canonical import as_json
from remit.contracts.derive import Asking, Billing, Issuer, derive, issue_root
from remit.contracts.documents import chain_name, join_links
from remit.contracts.dpop import HttpCall, HttpProof, check_body, make_dpop, verify_dpop
from remit.contracts.key_sets import KeySet, NamedKey, named_by_thumbprint, read_key_set
from remit.contracts.keys import (
    Algorithm,
    PrivateKey,
    PublicKey,
    new_private_key,
    read_private_key,
    read_public_key,
)
from remit.contracts.proofs import ProofError, ProofStep, SingleUse
from remit.contracts.tool_proof import ToolProof, make_tool_proof, verify_tool_proof
from remit.contracts.verify import (
    UnverifiedChain,
    VerifiedChain,
    credential_hash,
    read_unverified_chain,
    verify_chain,
)
from remit.core.contract_steps import ContractError, Step

__all__ = [
    "BY_REFERENCE",
    "IN_HEADERS",
    "Algorithm",
    "Asking",
    "Billing",
    "Bounds",
    "ChainCache",
    "ContractError",
    "Freshness",
    "HttpCall",
    "HttpProof",
    "Issuer",
    "KeySet",
    "NamedKey",
    "PrivateKey",
    "ProofError",
    "ProofStep",
    "PublicKey",
    "SingleUse",
    "Step",
    "ToolProof",
    "TrustAnchors",
    "TrustedIssuer",
    "UnverifiedChain",
    "VerifiedChain",
    "as_json",
    "chain_name",
    "check_body",
    "credential_hash",
    "derive",
    "issue_root",
    "join_links",
    "make_dpop",
    "make_tool_proof",
    "named_by_thumbprint",
    "new_private_key",
    "read_key_set",
    "read_private_key",
    "read_public_key",
    "read_unverified_chain",
    "verify_chain",
    "verify_dpop",
    "verify_tool_proof",
]
