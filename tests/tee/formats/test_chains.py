"""Chains of certificates: built whatever the order, and refused for each rule of RFC 5280 that a vendor could need."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.x509.oid import ExtendedKeyUsageOID

from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.formats import chains
from potluck.tee.attestation.verdict import Fault
from support.tee.pki import DAY, NOW, Holder, issue, named, new_key, revoking, rsa_key, usage


@pytest.fixture(scope="module")
def root():
    return issue("root")


@pytest.fixture(scope="module")
def middle(root):
    return issue("middle", root)


@pytest.fixture(scope="module")
def leaf(middle):
    return issue("leaf", middle, ca=False)


@pytest.fixture(scope="module")
def amd():
    """A root and an authority of 4096 bits of RSA, as AMD's are."""
    made = issue("rsa root", key=rsa_key())
    return made, issue("rsa middle", made, key=rsa_key())


def follow(leaf, *others, root, now=NOW, lists=(), given=()):
    """Names of the chain, or the code of its fault."""
    bag = chains.Bag(tuple(one.loaded for one in others), chains.read(lists, "test").lists)
    trust = chains.Trust(frozenset({root.loaded.fingerprint}), tuple(one.loaded for one in given))
    try:
        return [one.name for one in chains.chain(leaf.loaded, bag, trust, now, "test")]
    except Fault as fault:
        return fault.reason.code.value


def follow_bytes(parts, root):
    leaf, *rest = (chains.certificate(part, "test") for part in parts)
    trust = chains.Trust(frozenset({root.loaded.fingerprint}))
    return chains.chain(leaf, chains.Bag(tuple(rest)), trust, NOW, "test")


def refused(blobs):
    with pytest.raises(Fault) as caught:
        chains.read(blobs, "test")
    return caught.value.reason.code.value


def test_a_chain_is_found_whatever_the_order_and_whatever_else_lies_beside_it(root, middle, leaf):
    stranger = issue("stranger")
    whole = ["leaf", "middle", "root"]
    assert follow(leaf, middle, root, root=root) == whole
    assert follow(leaf, stranger, root, root, middle, leaf, root=root) == whole
    assert follow(leaf, middle, root=root, given=[root]) == whole


def test_a_chain_with_a_link_missing_is_refused(root, middle, leaf):
    assert follow(leaf, root, root=root) == "chain_invalid"
    assert follow(leaf, middle, root=root) == "chain_invalid"
    assert follow(leaf, root=root) == "chain_invalid"


def test_a_root_is_trusted_by_its_hash_alone(root, middle, leaf):
    forged = issue("root")
    assert follow(leaf, middle, root, root=forged) == "root_not_trusted"
    assert follow(leaf, middle, forged, root=root) == "chain_invalid"  # did not sign what the true root did
    twin = issue("root", key=root.key)  # the same key and name, another certificate
    assert follow(leaf, middle, twin, root=root) == "root_not_trusted"
    assert follow(leaf, middle, twin, root, root=root) == ["leaf", "middle", "root"]


def test_a_whole_forged_chain_of_the_same_names_is_refused(root, leaf):
    forged = issue("root")
    middle = issue("middle", forged)
    false = issue("leaf", middle, ca=False)
    assert follow(false, middle, forged, root=root) == "root_not_trusted"
    assert follow(false, middle, forged, root, root=root) == "root_not_trusted"


def test_a_leaf_that_signed_itself_is_nobodys(root):
    assert follow(issue("leaf", ca=False), root, root=root) == "chain_invalid"
    assert follow(root, root, root=root) == "chain_invalid"  # nor is a root its own evidence


def test_what_names_itself_as_its_issuer_and_did_not_sign_itself_is_no_root(root):
    said = issue("said", issue("another"), called="said")
    assert follow(issue("leaf", said, ca=False), said, root=root) == "chain_invalid"


def test_a_certificate_that_says_it_signed_itself_and_did_not_is_refused(root):
    lying = issue("leaf", root, ca=False, called="leaf")
    assert follow(lying, root, root=root) == "chain_invalid"


def test_names_in_a_ring_end(root):
    first_key, second_key = new_key(), new_key()
    first = issue("first", Holder(second_key, issue("second", key=second_key).parsed), key=first_key)
    second = issue("second", Holder(first_key, first.parsed), key=second_key)
    assert follow(issue("leaf", first, ca=False), first, second, root=root) == "chain_invalid"


def test_a_chain_deeper_than_eight_is_refused(root):
    links, above = [], root
    for number in range(8):
        above = issue(f"link {number}", above)
        links.append(above)
    assert len(follow(links[6], *links[:6], root, root=root)) == 8
    assert follow(links[7], *links[:7], root, root=root) == "chain_invalid"


@pytest.mark.parametrize(("ca", "uses"), [(False, None), (None, None), (True, usage(signs=False)), (None, usage())])
def test_who_is_no_authority_or_may_not_sign_certificates_issues_none(root, ca, uses):
    middle = issue("middle", root, ca=ca, uses=uses)
    assert follow(issue("leaf", middle, ca=False), middle, root, root=root) == "chain_invalid"


def test_an_authority_without_key_usage_may_sign(root):
    middle = issue("middle", root, uses=None)
    assert follow(issue("leaf", middle, ca=False), middle, root, root=root) == ["leaf", "middle", "root"]


@pytest.mark.parametrize(("below", "depth", "good"), [(0, 0, True), (0, 1, False), (1, 1, True), (1, 2, False)])
def test_path_lengths_count_the_authorities_below(below, depth, good):
    top = issue("root", below=below)
    links, above = [], top
    for number in range(depth):
        above = issue(f"link {number}", above)
        links.append(above)
    found = follow(issue("leaf", above, ca=False), *links, top, root=top)
    assert (len(found) == depth + 2) if good else (found == "chain_invalid")


@pytest.mark.parametrize("which", ["root", "middle", "leaf"])
@pytest.mark.parametrize(
    ("begins", "ends", "good"), [(0, 0, True), (1, 2, False), (-2, -1, False), (0, 5, True), (-5, 0, True)]
)
def test_every_certificate_must_be_in_date_to_the_second(which, begins, ends, good):
    dates = {which: {"begins": NOW + begins, "ends": NOW + ends}}
    root = issue("root", **dates.get("root", {}))
    middle = issue("middle", root, **dates.get("middle", {}))
    leaf = issue("leaf", middle, ca=False, **dates.get("leaf", {}))
    found = follow(leaf, middle, root, root=root)
    assert found == (["leaf", "middle", "root"] if good else "certificate_expired")


def test_of_two_authorities_of_one_name_and_key_the_one_in_date_counts(root):
    key = new_key()
    old = issue("middle", root, key=key, begins=NOW - 9 * DAY, ends=NOW - 8 * DAY)
    new = issue("middle", root, key=key)
    leaf = issue("leaf", new, ca=False)
    assert follow(leaf, old, new, root, root=root) == ["leaf", "middle", "root"]
    assert follow(leaf, old, root, root=root) == "certificate_expired"


def test_an_unknown_critical_extension_is_refused_and_another_is_kept(root):
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x02\x01\x07")
    harmless = issue("leaf", root, ca=False, extensions=[(value, False)])
    assert follow(harmless, root, root=root) == ["leaf", "root"]
    assert harmless.loaded.extension("1.2.3.4") == b"\x02\x01\x07"
    assert harmless.loaded.extension("1.2.3.5") is None
    assert harmless.loaded.extension("2.5.29.19") is None
    critical = issue("leaf", root, ca=False, extensions=[(value, True)])
    assert refused([critical.der]) == "malformed"
    constrained = x509.NameConstraints(permitted_subtrees=[x509.DNSName("a")], excluded_subtrees=None)
    for known in (constrained, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])):
        assert refused([issue("middle", root, extensions=[(known, True)]).der]) == "malformed"


def test_signatures_are_by_the_algorithm_that_goes_with_the_key(root, middle):
    weak = issue("leaf", middle, ca=False, signing=(hashes.SHA256(), None))
    assert follow(weak, middle, root, root=root) == "chain_invalid"
    small = issue("root", key=new_key(ec.SECP256R1))
    assert follow(issue("leaf", small, ca=False), small, root=small) == ["leaf", "root"]
    assert follow(issue("leaf", small, ca=False, signing=(hashes.SHA384(), None)), small, root=small) == "chain_invalid"
    odd = issue("root", key=new_key(ec.SECP521R1), signing=(hashes.SHA512(), None))
    assert follow(issue("leaf", odd, ca=False, signing=(hashes.SHA512(), None)), odd, root=odd) == "chain_invalid"
    other = issue("root", key=ed25519.Ed25519PrivateKey.generate(), signing=(None, None))
    assert follow(issue("leaf", other, ca=False, signing=(None, None)), other, root=other) == "chain_invalid"


def test_rsa_is_pss_with_sha384_and_a_salt_as_long_and_nothing_else(amd):
    root, middle = amd
    good = issue("leaf", middle, ca=False)
    assert follow(good, middle, root, root=root) == ["leaf", "rsa middle", "rsa root"]
    s256, s384 = hashes.SHA256(), hashes.SHA384()
    for wrong in (
        (s384, padding.PKCS1v15()),
        (s384, padding.PSS(padding.MGF1(s384), 32)),
        (s384, padding.PSS(padding.MGF1(s256), 48)),
        (s256, padding.PSS(padding.MGF1(s256), 32)),
        (s256, padding.PSS(padding.MGF1(s384), 48)),
    ):
        assert follow(issue("leaf", middle, ca=False, signing=wrong), middle, root, root=root) == "chain_invalid"


def test_rsa_of_fewer_bits_is_refused():
    short = issue("root", key=rsa_key(2048))
    assert follow(issue("leaf", short, ca=False), short, root=short) == "chain_invalid"


def test_a_revocation_list_counts_where_it_is_given(root, middle, leaf):
    def found(*lists):
        return follow(leaf, middle, root, root=root, lists=lists)

    number, above = leaf.parsed.serial_number, middle.parsed.serial_number
    whole = ["leaf", "middle", "root"]
    assert found(revoking(middle, [number + 1]), revoking(root)) == whole
    assert found(revoking(middle, [number])) == "certificate_revoked"
    assert found(revoking(root, [above])) == "certificate_revoked"
    assert found(revoking(root, [number])) == whole  # another issuer's number
    assert found(revoking(root), revoking(middle, [number])) == "certificate_revoked"


def test_a_revocation_list_that_is_forged_or_old_or_nobodys_is_refused(root, middle, leaf):
    def found(*lists):
        return follow(leaf, middle, root, root=root, lists=lists)

    number = leaf.parsed.serial_number
    assert found(revoking(middle, [number], key=new_key())) == "collateral_signature_invalid"
    assert found(revoking(middle, key=root.key)) == "collateral_signature_invalid"
    assert found(revoking(middle, begins=NOW - 5, ends=NOW - 1)) == "collateral_expired"
    assert found(revoking(middle, begins=NOW + 1, ends=NOW + 5)) == "collateral_expired"
    assert found(revoking(issue("stranger"))) == "collateral_mismatch"
    assert found(revoking(Holder(leaf.key, leaf.parsed))) == "collateral_mismatch"


def test_a_revocation_list_of_rsa_counts_too(amd):
    root, middle = amd
    leaf = issue("leaf", middle, ca=False)
    number = leaf.parsed.serial_number
    assert follow(leaf, middle, root, root=root, lists=[revoking(middle, [number])]) == "certificate_revoked"
    assert len(follow(leaf, middle, root, root=root, lists=[revoking(middle, [number + 1])])) == 3


def test_a_partial_revocation_list_is_refused(middle):
    partial = x509.DeltaCRLIndicator(1)
    assert refused([revoking(middle, extensions=[(partial, True)])]) == "malformed"


def test_files_of_pem_and_of_der_are_read_alike(root, middle):
    both = chains.read([middle.pem + b"a word between\n" + root.pem], "test")
    apart = chains.read([middle.der, root.der], "test")
    assert both == apart
    assert [one.name for one in both.certificates] == ["middle", "root"]
    mixed = chains.read([revoking(root), middle.pem], "test")
    assert (len(mixed.lists), len(mixed.certificates)) == (1, 1)


def test_what_is_no_certificate_or_too_many_or_too_long_is_malformed(root):
    head, tail = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
    for bad in (b"", b"text", b"0", b"0\x80", root.der[:-1], root.der + b"\0", head + tail, head + b"A" + tail):
        assert refused([bad]) == "malformed", bad[:9]
    assert refused([head + b"!" + tail]) == "malformed"
    assert refused([root.pem.replace(b"END CERTIFICATE", b"END X509 CRL")]) == "malformed"
    assert refused([root.pem * 25]) == "malformed"
    assert len(chains.read([root.pem] * 24, "test").certificates) == 24
    assert refused([b"0\x83\x01\0\0" + bytes(65536)]) == "malformed"
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(chains.LONGEST))
    assert refused([issue("long", root, extensions=[(padding, False)]).der]) == "malformed"


def test_given_roots_take_the_pinned_ones_place_and_only_those_that_signed_themselves(root, middle):
    pinned = chains.trust(["ab"], Asked(NOW), "test")
    assert (pinned.pins, pinned.given) == (frozenset(["ab"]), ())
    given = chains.trust(["ab"], Asked(NOW, roots=[root.pem + middle.pem]), "test")
    assert given.pins == {root.loaded.fingerprint}
    assert [one.name for one in given.given] == ["root", "middle"]
    assert chains.trust(["ab"], Asked(NOW, roots=[]), "test").pins == frozenset()


def test_a_serial_number_of_zero_is_read_without_a_warning(root):
    der = bytearray(issue("leaf", root, ca=False, serial=5).der)
    at = der.index(b"\x02\x01\x05")
    der[at + 2] = 0
    assert chains.certificate(bytes(der), "test").serial == 0


def test_names_that_messages_show_are_short_and_plain(root):
    name = issue("\x1b[31m" + "é" * 29, root).loaded.name
    assert name.isascii()
    assert name.isprintable()
    assert len(name) < 200


def test_any_flipped_bit_of_any_certificate_of_a_chain_is_refused(root, middle, leaf):
    for number, one in enumerate((leaf, middle, root)):
        for at in range(len(one.der)):
            bad = one.der[:at] + bytes([one.der[at] ^ 1 << at % 8]) + one.der[at + 1 :]
            parts = [leaf.der, middle.der, root.der]
            parts[number] = bad
            with pytest.raises(Fault):
                follow_bytes(parts, root)


def test_a_certificate_without_a_name_can_be_spoken_of(root):
    key = new_key()
    made = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(named("root")).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(root.parsed.not_valid_before_utc)
    made = made.not_valid_after(root.parsed.not_valid_after_utc).sign(root.key, hashes.SHA384())
    assert Holder(key, made).loaded.name == "a certificate without a name"


@pytest.mark.parametrize("kind", ["certificate", "list"])
def test_a_signature_that_leaves_bits_unused_says_the_same_in_other_bytes_and_is_refused(root, kind):
    while True:  # until its last bit is zero, as unused bits must be
        der = bytearray(issue("leaf", root, ca=False).der if kind == "certificate" else revoking(root))
        if der[-1] & 1 == 0:
            break
    assert chains.read([bytes(der)], "test")
    signature = (x509.load_der_x509_certificate if kind == "certificate" else x509.load_der_x509_crl)(
        bytes(der)
    ).signature
    at = len(der) - len(signature) - 1
    assert der[at] == 0
    der[at] = 1
    assert refused([bytes(der)]) == "malformed"
