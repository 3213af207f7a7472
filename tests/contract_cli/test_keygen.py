"""`remit keygen`: a key is made once, kept secret, and added to an issuer's set beside the one before."""

import json
import os
import stat
from pathlib import Path

import pytest

from remit.contracts import read_key_set, read_private_key, read_public_key
from tests.contract_cli.conftest import Desk


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("alg", ["EdDSA", "ES256"])
def test_a_key_is_made_for_its_owner_alone_and_named_by_its_thumbprint(remit: Desk, alg: str) -> None:
    before = os.umask(0)
    try:
        ran = remit.done("keygen", "--alg", alg, "-o", "new.jwk")
    finally:
        os.umask(before)
    key = read_private_key((remit.folder / "new.jwk").read_bytes())
    assert key.public.alg == alg
    assert ran.out == f"{key.public.thumbprint}\n"
    assert mode(remit.folder / "new.jwk") == 0o600
    assert key.to_jwk()["d"] not in ran.out + ran.err


def test_the_public_half_is_what_is_given_away(remit: Desk) -> None:
    ran = remit.done("keygen", "-o", "new.jwk", "--public")
    assert set(json.loads(ran.out)) == {"kty", "crv", "x"}
    assert read_public_key(ran.out.encode()) == read_private_key((remit.folder / "new.jwk").read_bytes()).public
    assert remit.done("keygen", "--key", "new.jwk", "--public").out == ran.out


def test_two_keys_are_never_the_same(remit: Desk) -> None:
    assert remit.holder("a") != remit.holder("c")


def test_nothing_that_exists_is_written_over(remit: Desk) -> None:
    before = (remit.folder / "a.jwk").read_bytes()
    (remit.folder / "link").symlink_to("elsewhere.jwk")
    for name in ("a.jwk", "link"):
        ran = remit("keygen", "-o", name)
        assert (ran.code, ran.out) == (2, "")
        assert "exists already" in ran.err
    assert (remit.folder / "a.jwk").read_bytes() == before
    assert not (remit.folder / "elsewhere.jwk").exists()


def test_a_key_that_others_can_read_is_not_used(remit: Desk) -> None:
    (remit.folder / "a.jwk").chmod(0o640)
    for words in (["keygen", "--key", "a.jwk"], ["call", "https://x.example/", "--chain", "a.chain", "--key", "a.jwk"]):
        (remit.folder / "a.chain").write_text("x")
        ran = remit(*words)
        assert ran.code == 2
        assert "`chmod 600`" in ran.err


def test_keys_of_an_issuer_are_rotated_with_an_overlap(remit: Desk) -> None:
    ran = remit.done("keygen", "-o", "next.jwk", "--jwks", "acme.jwks.json", "--kid", "2027-01")
    assert "has 2 keys now" in ran.err
    keys = read_key_set((remit.folder / "acme.jwks.json").read_bytes()).keys
    assert [named.kid for named in keys] == [remit.holder("issuer"), "2027-01"]
    assert keys[1].key.thumbprint == remit.holder("next")
    assert mode(remit.folder / "acme.jwks.json") == 0o644
    assert '"d"' not in remit.text("acme.jwks.json")
    assert not list(remit.folder.glob("*.part"))
    remit.issue(output="old.chain")
    remit.done(
        "issue", "--key", "next.jwk", "--kid", "2027-01", "--iss", "https://issuer.acme.example", "--to", "a.pub",
        "--tool", "payments.transfer", "--expires", "1h", "-o", "new.chain",
    )  # fmt: skip
    for chain in ("old.chain", "new.chain"):
        assert remit("verify", chain).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--key", "issuer.jwk", "--jwks", "acme.jwks.json"], "one name"),
        (["--key", "issuer.jwk", "--jwks", "acme.jwks.json", "--kid", "other"], "one key twice"),
        (["-o", "x.jwk", "--jwks", "a.jwk"], "`a.jwk`: a set of keys is a JSON object"),
        (["-o", "x.jwk", "--jwks", "x.jwk"], "are two files"),
        (["-o", "x.jwk", "--kid", "n"], "add `--jwks FILE`"),
        (["-o", "x.jwk", "--jwks", "new.json", "--kid", "\x1b[2J"], "printable"),
        (["-o", "x.jwk", "--jwks", "new.json", "--kid", "k" * 300], "printable"),
        (["--key", "a.pub"], "`chmod 600`"),
        (["--key", "missing.jwk"], "no such file"),
        (["--key", "."], "cannot be read"),
        (["-o", "x.jwk", "--alg", "RS256"], "invalid choice"),
        (["-o", "x.jwk", "--key", "a.jwk"], "not allowed with"),
        ([], "is required"),
    ],
)
def test_a_wrong_wish_makes_no_key(remit: Desk, words: list[str], said: str) -> None:
    ran = remit("keygen", *words)
    assert ran.code == 2
    assert said in ran.err or (said == "one name" and "the same `kid`" in ran.err)
    assert not (remit.folder / "x.jwk").exists()
    assert all(char.isprintable() or char == "\n" for char in ran.err)


def test_a_set_is_full_after_eight_keys(remit: Desk) -> None:
    for number in range(7):
        remit.done("keygen", "-o", f"k{number}.jwk", "--jwks", "acme.jwks.json")
    before = remit.text("acme.jwks.json")
    ran = remit("keygen", "-o", "ninth.jwk", "--jwks", "acme.jwks.json")
    assert "1 to 8 keys" in ran.err
    assert remit.text("acme.jwks.json") == before
    assert not (remit.folder / "ninth.jwk").exists()


def test_what_a_broken_key_file_holds_is_never_shown(remit: Desk) -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"
    for text in (secret, f'{{"kty": "OKP", "crv": "Ed25519", "x": "{secret}", "d": "{secret}"}}', f'{{"d": "{secret}"'):
        (remit.folder / "broken.jwk").write_text(text)
        (remit.folder / "broken.jwk").chmod(0o600)
        ran = remit("keygen", "--key", "broken.jwk")
        assert ran.code == 2
        assert secret not in ran.err
        assert "broken.jwk" in ran.err
