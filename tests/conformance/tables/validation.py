"""Validation: what the edge asks, what a 304 or a HEAD changes, and the client's own preconditions.

RFC 9111 s4.3, RFC 9110 s13.
"""

from tests.conformance.rows import BODY, Row, Want, asked, headers, reused
from tests.kit.origin import Canned

_LM = "Sun, 06 Nov 1994 08:49:37 GMT"
_EARLIER = "Sun, 06 Nov 1994 07:49:37 GMT"
_LATER = "Sun, 06 Nov 1994 09:49:37 GMT"


def _stale(**fields: str) -> dict[str, str]:
    return headers("max-age=60", Age="100", **fields)


def _fresh(**fields: str) -> dict[str, str]:
    return headers("max-age=3600", **fields)


def _not_modified(**fields: str) -> Canned:
    return Canned(304, headers(**fields))


_304 = Want(status=304, body=b"")

FRESHENED_AND_NOT = [
    Row("304: its fields replace the stored ones, now and later", "9111 s4.3.4", [
        asked(_stale(ETag='"a"', X_A="old", Content_Type="text/old", X_Kept="1")),
        asked(Canned(304, headers("max-age=3600", ETag='"a"', X_A="new", Content_Type="text/new")),
              want=Want(body=BODY, headers={"X-A": "new", "Content-Type": "text/new", "X-Kept": "1"},
                        origin_headers={"If-None-Match": '"a"'})),
        reused(want=Want(body=BODY, headers={"X-A": "new", "Content-Type": "text/new", "X-Kept": "1",
                                             "Cache-Control": "max-age=3600"}, age=(0, 20))),
    ]),
    Row("304: what describes the stored body stays", "9111 s3.2", [
        asked(_stale(ETag='"a"', Content_Encoding="x-old")),
        asked(Canned(304, headers("max-age=3600", ETag='"a"', Content_Encoding="x-new", Content_Length="5",
                                  Content_Range="bytes 0-4/5")),
              want=Want(body=BODY, headers={"Content-Encoding": "x-old", "Content-Length": "10"},
                        absent=["Content-Range"])),
        reused(want=Want(body=BODY, headers={"Content-Encoding": "x-old", "Content-Length": "10"})),
    ]),
    Row("304: a hop-by-hop field in it is not stored", "9111 s3.1", [
        asked(_stale(ETag='"a"')),
        asked(Canned(304, headers("max-age=3600", ETag='"a"', Connection="X-Hop", X_Hop="1")),
              want=Want(body=BODY, absent=["X-Hop"])),
        reused(want=Want(body=BODY, absent=["X-Hop"])),
    ]),
    Row("304: without a validator of its own it freshens what was asked about", "9111 s4.3.4", [
        asked(_stale(ETag='"a"')),
        asked(Canned(304, headers("max-age=3600"))  , want=Want(body=BODY)),
        reused(),
    ]),
    Row("304: Last-Modified validates where there is no ETag", "9110 s13.1.3", [
        asked(_stale(Last_Modified=_LM)),
        asked(_not_modified(Last_Modified=_LM, Cache_Control="max-age=3600"),
              want=Want(body=BODY, origin_headers={"If-Modified-Since": _LM})),
        reused(),
    ]),
    Row("304: a weak ETag validates", "9110 s8.8.3.2", [
        asked(_stale(ETag='W/"a"')),
        asked(_not_modified(ETag='W/"a"', Cache_Control="max-age=3600"),
              want=Want(body=BODY, origin_headers={"If-None-Match": 'W/"a"'})),
        reused(),
    ]),
    Row("304: the client's own validators do not reach the origin with ours", "9111 s4.3.1", [
        asked(_stale(ETag='"a"')),
        asked(_not_modified(ETag='"a"', Cache_Control="max-age=3600"), request={"If-None-Match": '"a"'}, want=_304),
        reused(),
    ]),
    Row("200: a full answer replaces the stored one", "9111 s4.3.3", [
        asked(_stale(ETag='"a"', X_Old="1")),
        asked(_fresh(ETag='"b"'), body=b"new", want=Want(body=b"new", absent=["X-Old"])),
        reused(want=Want(body=b"new", headers={"ETag": '"b"'}, absent=["X-Old"])),
    ]),
    Row("304: the client gets 304 where the full answer has its ETag", "9110 s13.1.2", [
        asked(_stale(ETag='"a"')),
        asked(_fresh(ETag='"b"'), body=b"new", request={"If-None-Match": '"b"'}, want=_304),
        reused(body=b"new"),
    ]),
]  # fmt: skip

HEAD = [
    Row("head: a stored GET answers it", "9111 s4", [
        asked(_fresh(ETag='"a"', X_A="1")),
        reused(method="HEAD", want=Want(headers={"Content-Length": "10", "X-A": "1", "ETag": '"a"'})),
        reused(),
    ]),
    Row("head: a HEAD does not make a stored GET", "9110 s9.3.2", [
        asked(_fresh(), method="HEAD"),
        asked(_fresh()),
        reused(),
    ]),
    Row("head: with the same validator it freshens the stored GET", "9111 s4.3.5", [
        asked(_stale(ETag='"a"', X_A="old")),
        asked(_fresh(ETag='"a"', X_A="new"), method="HEAD", want=Want(headers={"X-A": "new"})),
        reused(want=Want(body=BODY, headers={"X-A": "new"})),
    ]),
    Row("head: with another ETag it makes the stored GET stale", "9111 s4.3.5", [
        asked(_stale(ETag='"a"')),
        asked(_fresh(ETag='"b"'), method="HEAD", want=Want()),
        asked(_fresh(ETag='"b"'), body=b"new"),
    ]),
    Row("head: with another length it makes the stored GET stale", "9111 s4.3.5", [
        asked(_stale(ETag='"a"')),
        asked(_fresh(ETag='"a"'), body=b"longer than before", method="HEAD", want=Want()),
        asked(_fresh(), body=b"longer than before"),
    ]),
    Row("head: If-None-Match is answered from a stored GET", "9110 s13.1.2", [
        asked(_fresh(ETag='"a"')), reused(method="HEAD", request={"If-None-Match": '"a"'}, want=_304),
    ]),
]  # fmt: skip

PRECONDITIONS: list[tuple[str, dict[str, str], dict[str, str], bool]] = [
    # name, stored validators, the client's fields, whether 304 is right
    ("If-None-Match: equal", {"ETag": '"a"'}, {"If-None-Match": '"a"'}, True),
    ("If-None-Match: in a list", {"ETag": '"a"'}, {"If-None-Match": '"x", "a,b", "a"'}, True),
    ("If-None-Match: weak equals strong", {"ETag": '"a"'}, {"If-None-Match": 'W/"a"'}, True),
    ("If-None-Match: strong equals weak", {"ETag": 'W/"a"'}, {"If-None-Match": '"a"'}, True),
    ("If-None-Match: star", {"ETag": '"a"'}, {"If-None-Match": "*"}, True),
    ("If-None-Match: other", {"ETag": '"a"'}, {"If-None-Match": '"b"'}, False),
    ("If-None-Match: case matters", {"ETag": '"a"'}, {"If-None-Match": '"A"'}, False),
    ("If-None-Match: a quoted comma is no separator", {"ETag": '"a"'}, {"If-None-Match": '"x,"a","'}, False),
    ("If-None-Match: beats If-Modified-Since", {"ETag": '"a"', "Last-Modified": _LM},
     {"If-None-Match": '"b"', "If-Modified-Since": _LM}, False),
    ("If-Modified-Since: equal", {"Last-Modified": _LM}, {"If-Modified-Since": _LM}, True),
    ("If-Modified-Since: later", {"Last-Modified": _LM}, {"If-Modified-Since": _LATER}, True),
    ("If-Modified-Since: earlier", {"Last-Modified": _LM}, {"If-Modified-Since": _EARLIER}, False),
    ("If-Modified-Since: no date", {"Last-Modified": _LM}, {"If-Modified-Since": "yesterday"}, False),
    ("If-Modified-Since: RFC 850 form", {"Last-Modified": _LM},
     {"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, True),
    ("If-Modified-Since: asctime form", {"Last-Modified": _LM},
     {"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, True),
]  # fmt: skip


def _precondition(name: str, stored: dict[str, str], fields: dict[str, str], not_modified: bool) -> Row:
    want = Want(status=304, body=b"", headers=stored) if not_modified else Want(body=BODY)
    answer = headers("max-age=3600") | stored
    return Row(
        f"precondition: {name}", "9110 s13.1", [asked(answer), reused(request=fields, want=want), reused()]
    )


ROWS = [
    *FRESHENED_AND_NOT,
    *HEAD,
    *(_precondition(*case) for case in PRECONDITIONS),
    Row("precondition: a 304 of ours carries what a cache needs", "9110 s15.4.5", [
        asked(headers("max-age=3600", ETag='"a"', Vary="X-Kind", Expires="{now+3600}", Content_Location="/x",
                      Content_Type="text/plain")),
        reused(request={"If-None-Match": '"a"'},
               want=Want(status=304, headers={"Cache-Control": "max-age=3600", "Vary": "X-Kind", "ETag": '"a"',
                                              "Content-Location": "/x"})),
    ]),
    *(Row(f"precondition: one request for what may not be stored, {tag}", "9110 s13.1", [
        asked(headers("no-store", ETag='"b"'), request={"If-None-Match": tag}, want=Want(status=statuses)),
    ]) for tag, statuses in (('"a"', (200,)), ('"b"', (200, 304)))),
    Row("precondition: on a miss the whole is fetched and 304 answered", "9111 s4.3.2", [
        asked(_fresh(ETag='"a"'), request={"If-None-Match": '"a"'}, want=_304),
        reused(),
    ]),
]  # fmt: skip
