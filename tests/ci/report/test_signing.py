from __future__ import annotations

from dougong_ci.report import signing


def test_a_signature_holds_for_its_bytes_and_key_only():
    private, public = signing.generate()
    _, other = signing.generate()
    signature = signing.sign(b"verdict", private)
    assert signing.verify(b"verdict", signature, public)
    assert not signing.verify(b"verdicT", signature, public)
    assert not signing.verify(b"verdict", signature, other)


def test_malformed_signatures_and_keys_are_false_not_errors():
    private, public = signing.generate()
    signature = signing.sign(b"x", private)
    for bad in ("", "!", "AAAA", signature[:-8]):
        assert not signing.verify(b"x", bad, public)
        assert not signing.verify(b"x", signature, bad)


def test_the_public_key_and_its_name_follow_from_the_private_key():
    private, public = signing.generate()
    assert signing.public_of(private) == public
    assert len(signing.key_id(public)) == 16


def test_request_headers_cover_method_path_time_and_body():
    private, public = signing.generate()
    headers = signing.request_headers("post", "/api/v1/jobs/1/claim", 1700000000, b"{}", private)
    assert headers["X-Dougong-Key"] == signing.key_id(public)
    good = signing.request_message("POST", "/api/v1/jobs/1/claim", "1700000000", b"{}")
    assert signing.verify(good, headers["X-Dougong-Signature"], public)
    for changed in (
        signing.request_message("GET", "/api/v1/jobs/1/claim", "1700000000", b"{}"),
        signing.request_message("POST", "/api/v1/jobs/2/claim", "1700000000", b"{}"),
        signing.request_message("POST", "/api/v1/jobs/1/claim", "1700000001", b"{}"),
        signing.request_message("POST", "/api/v1/jobs/1/claim", "1700000000", b"{ }"),
    ):
        assert not signing.verify(changed, headers["X-Dougong-Signature"], public)
