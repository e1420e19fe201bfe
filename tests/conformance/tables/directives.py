"""What may be stored and when it may be used: request and response directives (RFC 9111 s3, s5.2; RFC 8246)."""

from tests.conformance.rows import BODY, Row, Want, asked, headers, not_reused, reused
from tests.kit.origin import Canned

_FRESH = headers("max-age=3600")
_AUTHORIZED = {"Authorization": "Basic dTpw"}

ROWS = [
    # the client's own wishes
    Row("request: no-cache asks the origin", "9111 s5.2.1.4", [
        asked(_FRESH), not_reused(request={"Cache-Control": "no-cache"}),
    ]),
    Row("request: max-age=0 asks the origin", "9111 s5.2.1.1", [
        asked(_FRESH), not_reused(request={"Cache-Control": "max-age=0"}),
    ]),
    Row("request: max-age below the age asks the origin", "9111 s5.2.1.1", [
        asked(headers("max-age=3600", Age="100")), not_reused(request={"Cache-Control": "max-age=50"}),
    ]),
    Row("request: max-age above the age is content", "9111 s5.2.1.1", [
        asked(headers("max-age=3600", Age="100")), reused(request={"Cache-Control": "max-age=1000"}),
    ]),
    Row("request: min-fresh beyond what is left asks the origin", "9111 s5.2.1.3", [
        asked(headers("max-age=3600", Age="100")), not_reused(request={"Cache-Control": "min-fresh=3550"}),
    ]),
    Row("request: min-fresh within what is left is content", "9111 s5.2.1.3", [
        asked(headers("max-age=3600", Age="100")), reused(request={"Cache-Control": "min-fresh=100"}),
    ]),
    Row("request: no-store keeps the answer out of the store", "9111 s5.2.1.5", [
        asked(_FRESH, request={"Cache-Control": "no-store"}), not_reused(),
    ]),
    Row("request: Pragma no-cache counts without Cache-Control", "9111 s5.4", [
        asked(_FRESH), not_reused(request={"Pragma": "no-cache"}),
    ]),
    Row("request: Pragma no-cache does not count beside Cache-Control", "9111 s5.4", [
        asked(_FRESH), reused(request={"Pragma": "no-cache", "Cache-Control": "max-age=3600"}),
    ]),
    Row("request: only-if-cached with nothing stored is 504", "9111 s5.2.1.7", [
        reused(request={"Cache-Control": "only-if-cached"}, want=Want(status=504)),
    ]),
    Row("request: only-if-cached with something stale is 504", "9111 s5.2.1.7", [
        asked(headers("max-age=60", Age="100", ETag='"a"')),
        reused(request={"Cache-Control": "only-if-cached"}, want=Want(status=504)),
    ]),
    Row("request: only-if-cached with something fresh is a hit", "9111 s5.2.1.7", [
        asked(_FRESH), reused(request={"Cache-Control": "only-if-cached"}),
    ]),
    # Authorization
    *(Row(f"authorization: {cc} is not enough to store", "9111 s3.5", [
        asked(headers(cc), request=_AUTHORIZED), not_reused(request=_AUTHORIZED),
    ]) for cc in ("max-age=3600", "max-age=3600, immutable")),
    Row("authorization: Expires is not enough to store", "9111 s3.5", [
        asked(headers(Expires="{now+3600}"), request=_AUTHORIZED), not_reused(),
    ]),
    *(Row(f"authorization: {cc} allows a shared cache to store", "9111 s3.5", [
        asked(headers(cc), request=_AUTHORIZED), reused(), reused(request=_AUTHORIZED),
    ]) for cc in ("public, max-age=3600", "s-maxage=3600", "max-age=3600, must-revalidate")),
    Row("authorization: what anybody got is for the authorized too", "9111 s3.5", [
        asked(_FRESH), reused(request=_AUTHORIZED),
    ]),
    # fields withheld
    Row("response: no-cache with a field name withholds that field", "9111 s5.2.2.4", [
        asked(headers('max-age=3600, no-cache="X-Fresh"', X_Fresh="1"), want=Want(headers={"X-Fresh": "1"})),
        asked(Canned(200, {}, BODY), want=Want(asks=None, body=BODY, absent=["X-Fresh"])),
    ]),
    Row("response: private with a field name keeps that field out of the store", "9111 s5.2.2.7", [
        asked(headers('max-age=3600, private="X-Mine, X-Too"', X_Mine="1", X_Too="2", X_All="3"),
              want=Want(headers={"X-Mine": "1"})),
        asked(Canned(200, {"X-All": "3"}, BODY),
              want=Want(asks=None, body=BODY, headers={"X-All": "3"}, absent=["X-Mine", "X-Too"])),
    ]),
    # what is stored
    *(Row(f"response: {cc} is not reused", section, [asked(headers(cc)), not_reused()]) for cc, section in (
        ("no-store", "9111 s5.2.2.5"), ("max-age=3600, no-store", "9111 s5.2.2.5"),
        ("private", "9111 s5.2.2.7"), ("max-age=3600, private", "9111 s5.2.2.7"),
        ("NO-STORE, max-age=3600", "9111 s5.2"), ("s-maxage=0, max-age=3600", "9111 s5.2.2.10"),
    )),
    Row("response: no-cache is validated before each use", "9111 s5.2.2.4", [
        asked(headers("no-cache, max-age=3600", ETag='"a"')),
        asked(Canned(304, {"ETag": '"a"'}), want=Want(body=BODY, origin_headers={"If-None-Match": '"a"'})),
        asked(Canned(304, {"ETag": '"a"'}), want=Want(body=BODY, origin_headers={"If-None-Match": '"a"'})),
    ]),
    Row("response: must-understand overrides no-store for a status we know", "9111 s5.2.2.3", [
        asked(headers("max-age=3600, must-understand, no-store")), reused(),
    ]),
    Row("response: must-understand keeps an unknown status out of the store", "9111 s5.2.2.3", [
        asked(Canned(299, headers("max-age=3600, must-understand"), BODY)), not_reused(),
    ]),
    Row("response: an unknown status with explicit freshness is stored", "9111 s3", [
        asked(Canned(299, headers("max-age=3600"), BODY)), reused(want=Want(status=299, body=BODY)),
    ]),
    Row("response: immutable and fresh is a hit", "8246 s2", [
        asked(headers("max-age=3600, immutable")), reused(),
    ]),
    Row("response: immutable and stale is validated", "8246 s2", [
        asked(headers("max-age=60, immutable", Age="100", ETag='"a"')),
        asked(Canned(304, {"ETag": '"a"'}), want=Want(body=BODY, origin_headers={"If-None-Match": '"a"'})),
    ]),
    Row("response: Set-Cookie is not stored by default", "9111 s7.3", [
        asked(headers("max-age=3600", Set_Cookie="a=b"), want=Want(headers={"Set-Cookie": "a=b"})), not_reused(),
    ]),
    Row("response: without freshness or validator it is not reused", "9111 s4.2", [
        asked({}), not_reused(),
    ]),
    Row("response: an old Last-Modified gives heuristic freshness", "9111 s4.2.2", [
        asked(headers(Last_Modified="{now-100000}")), reused(),
    ]),
    Row("response: no heuristic freshness for a request with Cookie", "9111 s4.2.2", [
        asked(headers(Last_Modified="{now-100000}"), request={"Cookie": "a=b"}), not_reused(request={"Cookie": "a=b"}),
    ]),
    Row("response: no heuristic freshness for 500", "9110 s15.1", [
        asked(Canned(500, headers(Last_Modified="{now-100000}"), BODY)), not_reused(),
    ]),
    Row("response: a POST is never answered from the store", "9111 s4", [
        asked(_FRESH), asked(Canned(200, _FRESH, b"posted"), method="POST", want=Want(body=b"posted")),
    ]),
    Row("response: what a POST got does not answer a GET", "9110 s9.3.3", [
        asked(Canned(200, _FRESH, b"posted"), method="POST"), not_reused(),
    ]),
    # variants
    Row("vary: each variant is kept", "9111 s4.1", [
        asked(headers("max-age=3600", Vary="X-Kind"), request={"X-Kind": "one"}, body=b"one"),
        asked(headers("max-age=3600", Vary="X-Kind"), request={"X-Kind": "two"}, body=b"two"),
        reused(request={"X-Kind": "one"}, body=b"one"),
        reused(request={"X-Kind": "two"}, body=b"two"),
        not_reused(),
    ]),
    Row("vary: absent on both sides matches", "9111 s4.1", [
        asked(headers("max-age=3600", Vary="X-Kind")), reused(), not_reused(request={"X-Kind": "one"}),
    ]),
    Row("vary: a star anywhere never matches", "9111 s4.1", [
        asked(headers("max-age=3600", Vary="X-Kind, *")), not_reused(),
    ]),
    Row("vary: equal codings in another order are one variant", "9111 s4.1", [
        asked(headers("max-age=3600", Vary="Accept-Encoding"), request={"Accept-Encoding": "gzip, br"}),
        reused(request={"Accept-Encoding": "br,gzip"}),
        not_reused(request={"Accept-Encoding": "identity"}),
    ]),
]  # fmt: skip
