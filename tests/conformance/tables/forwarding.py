"""What crosses the edge and what does not: hop-by-hop fields, what clients claim, Via (RFC 9110 s7.6, RFC 9111 s3.1)."""

from tests.conformance.rows import BODY, Row, Turn, Want, asked, headers, not_reused, reused
from tests.kit.origin import Canned

_HOPS_OUT = {
    "Keep-Alive": "timeout=7",
    "Proxy-Connection": "keep-alive",
    "Proxy-Authenticate": "Basic",
    "Proxy-Authentication-Info": "x=1",
    "Upgrade": "foo",
    "TE": "x",
}
_HOPS_IN = {
    "Keep-Alive": "timeout=7",
    "Proxy-Connection": "keep-alive",
    "Proxy-Authorization": "Basic dTpw",
    "Upgrade": "foo",
}

CLAIMS: dict[str, str] = {
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "X-HTTP-Method-Override": "DELETE",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-For": "192.0.2.66",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=192.0.2.66",
    "X-Host": "evil.example",
    "Proxy": "http://evil.example",
}
"""Fields by which a client could change the answer without changing the key."""

ROWS = [
    Row("hop: a field named in the response's Connection goes nowhere", "9110 s7.6.1", [
        asked(headers("max-age=3600", Connection="X-Hop, x-other", X_Hop="1", X_Other="2", X_End="3"),
              want=Want(body=BODY, absent=["X-Hop", "X-Other"], headers={"X-End": "3"})),
        reused(want=Want(body=BODY, absent=["X-Hop", "X-Other"], headers={"X-End": "3"})),
    ]),
    Row("hop: Connection in several lines names fields in each", "9110 s7.6.1", [
        asked([Canned(200, [("Cache-Control", "max-age=3600"), ("Connection", "X-Hop"), ("Connection", "X-Other"),
                            ("X-Hop", "1"), ("X-Other", "2")], BODY)],
              want=Want(body=BODY, absent=["X-Hop", "X-Other"])),
        reused(want=Want(body=BODY, absent=["X-Hop", "X-Other"])),
    ]),
    *(Row(f"hop: the response's {name} goes nowhere", "9111 s3.1", [
        asked(headers("max-age=3600") | {name: value}, want=Want(body=BODY, absent=[name])),
        reused(want=Want(body=BODY, absent=[name])),
    ]) for name, value in _HOPS_OUT.items()),
    Row("hop: a response cannot have Cache-Control removed for the store", "9110 s7.6.1", [
        asked(headers("no-store", Connection="Cache-Control", Expires="{now+3600}")), not_reused(),
    ]),
    Row("hop: a field named in the request's Connection does not reach the origin", "9110 s7.6.1", [
        asked(request={"Connection": "X-Hop, X-Other", "X-Hop": "1", "X-Other": "2", "X-End": "3"},
              want=Want(origin_absent=["X-Hop", "X-Other"], origin_headers={"X-End": "3"})),
    ]),
    *(Row(f"hop: the request's {name} does not reach the origin", "9110 s7.6.1", [
        asked(request={name: value}, want=Want(origin_absent=[name])),
    ]) for name, value in _HOPS_IN.items()),
    Row("hop: a request cannot have Host removed", "9110 s7.6.1", [
        asked(request={"Connection": "Host, Via, CDN-Loop, Content-Length", "Host": "a.example"},
              want=Want(origin_headers={"Host": "a.example"})),
    ]),
    *(Row(f"claims: {name} neither reaches the origin nor the store", "9111 s2", [
        asked(headers("max-age=3600"), request={name: value}, want=Want(body=BODY, origin_not={name: value})),
        reused(),
    ]) for name, value in CLAIMS.items()),
    Row("claims: the body of a GET does not reach the origin", "9110 s9.3.1", [
        Turn(Want(body=BODY, origin_absent=["Content-Length", "Transfer-Encoding"]),
             answer=Canned(200, headers("max-age=3600"), BODY), body=b"fat"),
    ]),
    Row("through: fields of both sides pass unchanged", "9110 s7.6", [
        asked(headers(X_Odd='a,  b;\t"c"', Content_Encoding="x-odd"), request={"X-Odd": 'a,  b;\t"c"'},
              want=Want(body=BODY, headers={"X-Odd": 'a,  b;\t"c"', "Content-Encoding": "x-odd"},
                        origin_headers={"X-Odd": 'a,  b;\t"c"'})),
    ]),
    Row("through: the query and escapes of the target stay as they are", "3986 s6", [
        asked(headers("max-age=3600"), suffix="/%7e%2F;a=%3B?b=%20&&a=+", want=Want(body=BODY)),
        reused(suffix="/%7e%2F;a=%3B?b=%20&&a=+"),
        not_reused(suffix="/~%2F;a=%3B?b=%20&&a=+%20"),
    ]),
    Row("through: a 204 and its fields", "9110 s15.3.5", [
        asked(Canned(204, headers("max-age=3600", X_A="1")), want=Want(status=204, headers={"X-A": "1"})),
        reused(want=Want(status=204, headers={"X-A": "1"}, absent=["Transfer-Encoding"])),
    ]),
    Row("through: a chunked body comes whole and is stored", "9112 s7.1", [
        asked(Canned(200, headers("max-age=3600"), BODY * 5000, chunked=True)), reused(body=BODY * 5000),
    ]),
]  # fmt: skip
