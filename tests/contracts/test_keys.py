"""Keys: what is one and what is refused, thumbprints, and signatures as the algorithms define them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.contracts import (
    Algorithm,
    KeySet,
    NamedKey,
    PublicKey,
    base64url,
    named_by_thumbprint,
    new_private_key,
    read_key_set,
    read_private_key,
    read_public_key,
)
from remit.contracts.keys import read_public_jwk
from remit.contracts.points import P256_ORDER, is_ed25519_point, is_p256_point, is_sound_ed25519
from remit.core.strict_json import JsonValue
from remit.errors import UsageError
from tests.contracts.cast import chance, key

P = 2**255 - 19
EIGHTH = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"

# Every encoding of a point whose order divides 8: the points are eight, but some have several encodings.
SMALL_ORDER = [
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "00" * 31 + "80",
        "01" + "00" * 31,
        "01" + "00" * 30 + "80",
        "ec" + "ff" * 30 + "7f",
        "ec" + "ff" * 31,
        EIGHTH,
        EIGHTH[:-2] + "85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ed" + "ff" * 30 + "7f",
        "ed" + "ff" * 31,
        "ee" + "ff" * 30 + "7f",
        "ee" + "ff" * 31,
    )
]

ED = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EC = key("somebody", Algorithm.ES256).public.to_jwk()


def ed25519_jwk(encoded: bytes) -> JsonValue:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(encoded)}


def test_the_thumbprint_of_rfc_8037_is_what_we_compute() -> None:
    assert read_public_jwk(dict(ED)).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_signature_of_rfc_8037_is_what_we_make() -> None:
    text = json.dumps({**ED, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}).encode()
    signing_input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = read_private_key(text).sign(signing_input)
    assert base64url.encode(signature) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert read_public_jwk(dict(ED)).verifies(signature, signing_input)


def test_the_es256_key_of_rfc_7515_verifies_its_example() -> None:
    public = read_public_jwk(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }
    )
    signing_input = (
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290I"
        b"jp0cnVlfQ"
    )
    signature = base64url.decode(
        b"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    assert public.verifies(signature, signing_input)
    assert not public.verifies(signature, signing_input + b"x")


@pytest.mark.parametrize("encoded", SMALL_ORDER, ids=lambda encoded: encoded.hex()[:8] + encoded.hex()[-2:])
def test_a_key_of_small_order_is_refused(encoded: bytes) -> None:
    with pytest.raises(UsageError, match="not a sound public key"):
        read_public_jwk(ed25519_jwk(encoded))


def test_the_encodings_of_small_order_are_fourteen() -> None:
    assert len(set(SMALL_ORDER)) == 14


@pytest.mark.parametrize("excess", range(19))
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_a_coordinate_that_is_not_reduced_is_refused(excess: int, sign: int) -> None:
    encoded = (P + excess | sign).to_bytes(32, "little")
    assert not is_sound_ed25519(encoded)
    with pytest.raises(UsageError, match="not a sound public key"):
        read_public_jwk(ed25519_jwk(encoded))


def test_what_is_no_point_is_refused_where_keys_are_registered() -> None:
    no_point = (2).to_bytes(32, "little")
    assert not is_ed25519_point(no_point)
    with pytest.raises(UsageError, match="not a point"):
        read_public_key(json.dumps(ed25519_jwk(no_point)).encode())


@given(seed=st.binary(min_size=32, max_size=32))
@settings(max_examples=20, deadline=None)
def test_every_key_that_is_made_is_sound(seed: bytes) -> None:
    encoded = base64url.decode(new_private_key(lambda _: seed).public.holder.x.encode())
    assert is_sound_ed25519(encoded)
    assert is_ed25519_point(encoded)


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({**ED, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}, id="private"),
        pytest.param({**EC, "d": "AAAA"}, id="private ec"),
        pytest.param({**ED, "use": "enc"}, id="for encryption"),
        pytest.param({**ED, "use": None}, id="use is null"),
        pytest.param({**ED, "key_ops": ["sign"]}, id="not for verifying"),
        pytest.param({**ED, "key_ops": "verify"}, id="key_ops is text"),
        pytest.param({**ED, "key_ops": []}, id="for nothing"),
        pytest.param({**ED, "alg": "ES256"}, id="another alg"),
        pytest.param({**ED, "alg": "eddsa"}, id="alg in lower case"),
        pytest.param({**EC, "alg": "ES384"}, id="another alg of the family"),
        pytest.param({**ED, "crv": "X25519"}, id="another curve"),
        pytest.param({**ED, "crv": "Ed448"}, id="a longer curve"),
        pytest.param({**ED, "kty": "EC"}, id="another kty"),
        pytest.param({**EC, "crv": "P-384"}, id="P-384"),
        pytest.param({**EC, "crv": "secp256k1"}, id="another curve of that size"),
        pytest.param({"kty": "oct", "k": "AAAA"}, id="symmetric"),
        pytest.param({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, id="RSA"),
        pytest.param({**ED, "x": ED["x"] + "="}, id="padding"),
        pytest.param({**ED, "x": ED["x"][:-1] + "p"}, id="unused bits"),
        pytest.param({**ED, "x": ED["x"].replace("_", "/")}, id="standard alphabet"),
        pytest.param({**ED, "x": ED["x"][:-2]}, id="short"),
        pytest.param({**ED, "x": "A" + ED["x"]}, id="long"),
        pytest.param({**ED, "x": 5}, id="x is a number"),
        pytest.param({**ED, "y": EC["y"]}, id="y beside Ed25519"),
        pytest.param({**EC, "y": EC["x"]}, id="off the curve"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": EC["x"]}, id="no y"),
        pytest.param({**EC, "x": base64url.encode(b"\xff" * 32)}, id="x is not reduced"),
        pytest.param({**EC, "x": "A" * 43, "y": "A" * 43}, id="the point at infinity"),
        pytest.param([ED], id="array"),
        pytest.param(None, id="null"),
    ],
)
def test_what_is_no_public_signing_key_is_refused(jwk: JsonValue) -> None:
    with pytest.raises(UsageError):
        read_public_jwk(jwk)


def test_a_point_of_p_256_has_one_encoding() -> None:
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    found = ((x, pow(x**3 - 3 * x + b, (prime + 1) // 4, prime)) for x in range(1, 50))
    x, y = next((x, y) for x, y in found if (y * y - x**3 + 3 * x - b) % prime == 0)
    up = y.to_bytes(32, "big")
    assert is_p256_point(x.to_bytes(32, "big"), up)
    assert not is_p256_point((x + prime).to_bytes(32, "big"), up)


@pytest.mark.parametrize("alg", list(Algorithm))
def test_a_key_survives_its_file(alg: Algorithm) -> None:
    private = key("somebody", alg)
    again = read_private_key(private.to_json())
    assert again.public == private.public
    assert private.public.verifies(again.sign(b"message"), b"message")
    assert read_public_key(json.dumps(private.public.to_jwk()).encode()) == private.public


def test_a_private_key_that_is_not_of_its_public_half_is_refused() -> None:
    for alg in Algorithm:
        jwk = {**key("one", alg).to_jwk(), "d": key("other", alg).to_jwk()["d"]}
        with pytest.raises(UsageError, match="contradicts itself"):
            read_private_key(json.dumps(jwk).encode())


def test_a_private_key_of_zero_or_beyond_the_order_is_refused() -> None:
    for number in (0, P256_ORDER, 2**256 - 1):
        jwk = {**EC, "d": base64url.encode(number.to_bytes(32, "big"))}
        with pytest.raises(UsageError, match="out of range"):
            read_private_key(json.dumps(jwk).encode())


def test_errors_and_reprs_never_show_a_private_key() -> None:
    private = key("somebody")
    secret = private.to_jwk()["d"]
    assert secret not in repr(private)
    for text in (private.to_json() + b"junk", private.to_json()[:-3], b'{"d": "' + secret.encode() + b'"}'):
        with pytest.raises(UsageError) as caught:
            read_private_key(text)
        assert secret not in str(caught.value)


def test_a_source_that_never_gives_a_scalar_ends_in_an_error() -> None:
    with pytest.raises(UsageError, match="random bytes"):
        new_private_key(lambda count: b"\xff" * count, Algorithm.ES256)


@pytest.mark.parametrize("alg", list(Algorithm))
def test_a_signature_of_another_length_or_key_does_not_verify(alg: Algorithm) -> None:
    private = key("somebody", alg)
    signature = private.sign(b"message")
    assert private.public.verifies(signature, b"message")
    for wrong in (signature[:-1], signature + b"\0", b"", bytes(64), b"\xff" * 64):
        assert not private.public.verifies(wrong, b"message")
    assert not key("other", alg).public.verifies(signature, b"message")


def test_an_es256_signature_with_numbers_out_of_range_does_not_verify() -> None:
    private = key("somebody", Algorithm.ES256)
    r, s = halves(private.sign(b"message"))
    for wrong_r, wrong_s in ((0, 0), (r, 0), (0, s), (P256_ORDER, s), (r, P256_ORDER), (r, s + P256_ORDER)):
        wrong = joined(wrong_r, wrong_s % 2**256)
        assert not private.public.verifies(wrong, b"message")


def test_the_twin_of_an_es256_signature_verifies_so_nothing_may_go_by_its_bytes() -> None:
    private = key("somebody", Algorithm.ES256)
    r, s = halves(private.sign(b"message"))
    assert private.public.verifies(joined(r, P256_ORDER - s), b"message")


def test_an_ed25519_signature_whose_s_is_not_reduced_does_not_verify() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    private = key("somebody")
    signature = private.sign(b"message")
    s = int.from_bytes(signature[32:], "little") + order
    assert not private.public.verifies(signature[:32] + s.to_bytes(32, "little"), b"message")


def test_a_set_of_keys_survives_its_file() -> None:
    keys = KeySet((NamedKey("2026", key("old").public), NamedKey("2027", key("new", Algorithm.ES256).public)))
    assert read_key_set(keys.to_json()) == keys


def test_a_key_without_a_kid_is_called_by_its_thumbprint() -> None:
    public = key("somebody").public
    keys = read_key_set(json.dumps({"keys": [public.to_jwk()]}).encode())
    assert keys == named_by_thumbprint([public])
    assert keys.candidates(public.thumbprint) == (public,)


ONE = {**ED, "kid": "one"}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"keys": [ONE, {**EC, "kid": "one"}]}, id="one kid for two keys"),
        pytest.param({"keys": [ONE, {**ED, "kid": "two"}]}, id="one key twice"),
        pytest.param({"keys": [ED, {**EC, "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}]}, id="another's name"),
        pytest.param({"keys": []}, id="no keys"),
        pytest.param({"keys": [ONE] * 9}, id="too many"),
        pytest.param({"keys": [{**ONE, "d": "x"}]}, id="private"),
        pytest.param({"keys": [{**ONE, "use": "enc"}]}, id="for encryption"),
        pytest.param({"keys": [{**ONE, "kid": ""}]}, id="empty kid"),
        pytest.param({"keys": [{**ONE, "kid": 7}]}, id="kid is a number"),
        pytest.param({"keys": [{**ONE, "kid": "x" * 257}]}, id="long kid"),
        pytest.param({"keys": [{**ONE, "kid": "a\nb"}]}, id="line feed in kid"),
        pytest.param({"keys": {"one": ED}}, id="object of keys"),
        pytest.param([ED], id="bare array"),
    ],
)
def test_a_set_of_keys_that_could_mean_two_things_is_refused(document: JsonValue) -> None:
    with pytest.raises(UsageError):
        read_key_set(json.dumps(document).encode())


def test_a_member_written_twice_refuses_the_set() -> None:
    with pytest.raises(UsageError, match="appears twice"):
        read_key_set(b'{"keys": [], "keys": []}')


def test_two_keys_are_equal_only_if_they_are_the_same_key() -> None:
    assert key("one").public == key("one").public
    assert key("one").public != key("two").public
    assert len({key("one").public, key("one").public}) == 1
    assert isinstance(key("one").public, PublicKey)


def test_keys_come_from_the_given_chance_alone() -> None:
    for alg in Algorithm:
        assert new_private_key(chance(1), alg).public == new_private_key(chance(1), alg).public


def halves(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def joined(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
