"""RFC 9421 appendix B: the keys, the request and the signatures that the RFC gives."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

from edge.purge.signing.message import Message
from edge.semantics.message import Authority, Fields

CREATED = 1_618_884_473
BODY = b'{"hello": "world"}'
DIGEST = b"sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"

REQUEST = Message(
    b"POST",
    Authority(b"https", b"example.com", 443),
    b"/foo?param=Value&Pet=dog",
    Fields(
        (
            (b"Host", b"example.com"),
            (b"Date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
            (b"Content-Type", b"application/json"),
            (b"Content-Digest", DIGEST),
            (b"Content-Length", b"18"),
        )
    ),
    BODY,
)

ED25519_PRIVATE_PEM = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n"
ED25519_PRIVATE = b64decode("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=")
ED25519_PUBLIC = b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
SHARED_SECRET = b64decode(
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)
RSA_PSS_PUBLIC_PEM = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----
"""


@dataclass(frozen=True, slots=True)
class Vector:
    """One of B.2. params: the member of Signature-Input. base: without its last line, which is made of params."""

    section: str
    params: bytes
    base: tuple[bytes, ...]
    signature: bytes


VECTORS = (
    Vector(
        "B.2.1",
        b'();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
        (),
        b64decode(
            "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG"
            "52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVro"
            "gUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ"
            "98Xw9Q=="
        ),
    ),
    Vector(
        "B.2.2",
        b'("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"',
        (b'"@authority": example.com', b'"content-digest": ' + DIGEST, b'"@query-param";name="Pet": dog'),
        b64decode(
            "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT"
            "8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBS"
            "pqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTu"
            "gEjHSw=="
        ),
    ),
    Vector(
        "B.2.3",
        b'("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length")'
        b';created=1618884473;keyid="test-key-rsa-pss"',
        (
            b'"date": Tue, 20 Apr 2021 02:07:55 GMT',
            b'"@method": POST',
            b'"@path": /foo',
            b'"@query": ?param=Value&Pet=dog',
            b'"@authority": example.com',
            b'"content-type": application/json',
            b'"content-digest": ' + DIGEST,
            b'"content-length": 18',
        ),
        b64decode(
            "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fU"
            "xN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA"
            "1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKE"
            "gM4cUA=="
        ),
    ),
    Vector(
        "B.2.5",
        b'("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
        (
            b'"date": Tue, 20 Apr 2021 02:07:55 GMT',
            b'"@authority": example.com',
            b'"content-type": application/json',
        ),
        b64decode("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="),
    ),
    Vector(
        "B.2.6",
        b'("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
        (
            b'"date": Tue, 20 Apr 2021 02:07:55 GMT',
            b'"@method": POST',
            b'"@path": /foo',
            b'"@authority": example.com',
            b'"content-type": application/json',
            b'"content-length": 18',
        ),
        b64decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="),
    ),
)
"""B.2.4 signs a response; no response is signed here."""
