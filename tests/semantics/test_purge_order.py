"""What stands in the log: what is written is read again, and nothing else ever is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.semantics.message import Authority, UnixSeconds
from edge.semantics.purge_order import (
    MAX_BYTES,
    MAX_HEARD,
    MAX_ITEMS,
    BadMessage,
    Message,
    NewHistory,
    PurgeOrder,
    Tick,
    decode,
    encode,
    is_id,
)
from edge.semantics.selectors import (
    MAX_TAG_BYTES,
    MAX_URL_BYTES,
    MAX_VARIANT_CHARS,
    BadSelector,
    Everything,
    Group,
    Host,
    Prefix,
    Selector,
    Site,
    Tag,
    Uri,
    Variant,
    read_group,
    read_host,
    read_prefix,
    read_site,
    read_tag,
    read_uri,
    read_variant,
)

AT = UnixSeconds(1_795_502_400.25)
HERE = Authority(b"https", b"h.example", 443)
URI = Uri(HERE, b"/a?b")
ITEMS: list[Selector] = [
    URI,
    Uri(Authority(b"http", b"[::1]", 8080), b"/"),
    Variant(URI, ((b"accept", b"\xc3\xa4\xff"), (b"accept-encoding", b"gzip"))),
    Tag("shop", b"a b,\xff\xc3\xa4"),
    Group(HERE, b'a "b"'),
    Prefix(b"h.example", b"/a/"),
    Host(b"h.example"),
    Site("*.example.org"),
    Everything(),
]

names = st.text(max_size=8)
text = st.text(st.characters(exclude_categories=()), max_size=12)
"""Lone surrogates, too: that is how bytes that are no UTF-8 stand in it."""
plain = st.text(max_size=12)
urls = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(("http", "HTTPS")),
    st.sampled_from(("h.example", "G.", "[0::1]")),
    st.sampled_from(("", ":80", ":1234")),
    st.text("a/?%2f;.", max_size=6),
)


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    """As every door makes them: by the readers."""
    while True:
        try:
            match draw(st.integers(0, 7)):
                case 0:
                    return read_uri(draw(urls))
                case 1:
                    return read_variant(read_uri(draw(urls)), draw(st.dictionaries(text, text, max_size=3)))
                case 2:
                    return read_tag(draw(names), draw(text))
                case 3:
                    return read_group(draw(urls), draw(text))
                case 4:
                    return read_prefix(draw(urls))
                case 5:
                    return read_host(draw(st.text("aB.-_[:1]", max_size=6)))
                case 6:
                    return read_site(draw(names))
                case _:
                    return Everything()
        except BadSelector:
            continue


seconds = st.floats(0, 1e12).map(UnixSeconds)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}", fullmatch=True)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        PurgeOrder,
        id=ids,
        at=seconds,
        items=st.lists(selectors(), min_size=1, max_size=4).map(tuple),
        soft=st.booleans(),
        by=plain,
        nonce=plain,
        created=seconds,
        note=plain,
    ),
    st.builds(
        Tick, seconds, plain, st.dictionaries(plain, st.tuples(plain, st.integers(0, 2**63 - 1)), max_size=3)
    ),
    st.builds(NewHistory, st.from_regex(r"[0-9a-f]{16}", fullmatch=True), plain, seconds),
)


@given(message=messages)
def test_what_is_written_is_read_to_the_same(message: Message):
    written = encode(message)
    assert decode(written) == message
    assert encode(decode(written)) == written


@pytest.mark.parametrize("item", ITEMS, ids=[type(item).__name__ for item in ITEMS])
def test_every_kind_of_selector_is_kept(item: Selector):
    order = PurgeOrder("p", AT, (item, Everything()), soft=True, by="k", nonce="n", created=1.5, note="why")
    assert decode(encode(order)) == order


def test_the_largest_of_every_kind_fits_into_an_order():
    url = "https://" + "h" * 255 + "/" + "a" * (MAX_URL_BYTES - 264)
    wide = "\U0001f600" * (MAX_VARIANT_CHARS - 1)
    largest: list[Selector] = [
        read_uri(url),
        read_variant(read_uri(url), {"a": wide}),
        read_tag("\U0001f600" * 256, "\udcff" * MAX_TAG_BYTES),
        read_group(url, '"' * MAX_TAG_BYTES),
        read_prefix(url),
        read_host("h" * 255),
        read_site("\u00e4" * 256),
    ]
    for item in largest:
        order = PurgeOrder("i" * 64, AT, (item,), by="b" * 256, nonce="n" * 256, note="\x00" * 256)
        assert decode(encode(order)) == order


ORDER = PurgeOrder("p1", AT, (URI,))
WRITTEN: dict[str, object] = json.loads(encode(ORDER))
TICK: dict[str, object] = json.loads(encode(Tick(AT, "n", {"n": ("i", 1)})))
HISTORY: dict[str, object] = json.loads(encode(NewHistory("0" * 16, "n", AT)))

CHANGES: list[tuple[dict[str, object], dict[str, object]]] = [
    (WRITTEN, {"v": 2}),
    (WRITTEN, {"v": "1"}),
    (WRITTEN, {"v": None}),
    (WRITTEN, {"is": "tick"}),
    (WRITTEN, {"is": "else"}),
    (WRITTEN, {"is": ["purge"]}),
    (WRITTEN, {"more": 1}),
    (WRITTEN, {"id": ""}),
    (WRITTEN, {"id": "a b"}),
    (WRITTEN, {"id": "-a"}),
    (WRITTEN, {"id": "i" * 65}),
    (WRITTEN, {"id": 1}),
    (WRITTEN, {"at": "1"}),
    (WRITTEN, {"at": True}),
    (WRITTEN, {"at": float("nan")}),
    (WRITTEN, {"at": float("inf")}),
    (WRITTEN, {"at": 10**400}),
    (WRITTEN, {"created": None}),
    (WRITTEN, {"soft": 1}),
    (WRITTEN, {"soft": None}),
    (WRITTEN, {"by": "b" * 257}),
    (WRITTEN, {"nonce": "n" * 257}),
    (WRITTEN, {"note": ["n"]}),
    (WRITTEN, {"items": []}),
    (WRITTEN, {"items": {}}),
    (WRITTEN, {"items": [{"everything": True}] * (MAX_ITEMS + 1)}),
    *[
        (WRITTEN, dict[str, object](items=[{"everything": True}, item]))
        for item in (
            None,
            "url",
            {},
            {"everything": False},
            {"everything": True, "host": "h"},
            {"url": "/a"},
            {"url": 1},
            {"url": "https://h/a", "headers": {}},
            {"url": "https://h/a", "headers": []},
            {"url": "https://h/a", "headers": {"a": 1}},
            {"url": "https://h/a", "headers": {"a b": "c"}},
            {"url": "https://h/a", "group": ""},
            {"url": "https://h/a", "group": "\ud800"},
            {"url": "https://h/a/.."},
            {"tag": "a"},
            {"site": "s", "tag": ""},
            {"site": "s", "tag": "\ud800"},
            {"site": ""},
            {"site": None},
            {"prefix": "h.example/"},
            {"prefix": "/a"},
            {"host": "h:80"},
            {"pattern": ".*"},
        )
    ],
    (TICK, {"heard": []}),
    (TICK, {"heard": {"n": ["i"]}}),
    (TICK, {"heard": {"n": ["i", 1, 2]}}),
    (TICK, {"heard": {"n": ["i", True]}}),
    (TICK, {"heard": {"n": ["i", 1.5]}}),
    (TICK, {"heard": {"n": ["i", -1]}}),
    (TICK, {"heard": {"n": ["i", 2**63]}}),
    (TICK, {"heard": {"n": ["i" * 65, 1]}}),
    (TICK, {"heard": {f"n{at}": ["i", 1] for at in range(MAX_HEARD + 1)}}),
    (TICK, {"by": None}),
    (HISTORY, {"history": "0" * 15}),
    (HISTORY, {"history": "0" * 17}),
    (HISTORY, {"history": "A" * 16}),
    (HISTORY, {"at": None}),
]


@pytest.mark.parametrize("whole, change", CHANGES)
def test_anything_else_is_no_message(whole: dict[str, object], change: dict[str, object]):
    with pytest.raises(BadMessage):
        decode(json.dumps(whole | change).encode())


@pytest.mark.parametrize("whole", [WRITTEN, TICK, HISTORY])
def test_a_message_with_anything_left_out_is_no_message(whole: dict[str, object]):
    decode(json.dumps(whole).encode())
    for name in whole:
        with pytest.raises(BadMessage):
            decode(json.dumps({key: said for key, said in whole.items() if key != name}).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"purge"',
        encode(ORDER)[:-1],
        encode(ORDER) + b"{}",
        b"\xef\xbb\xbf" + encode(ORDER),
        encode(ORDER).decode().encode("utf-16"),
        encode(ORDER).replace(b'"soft":false', b'"soft":true,"soft":false'),
        encode(ORDER).replace(b'"p1"', b'"p\xff"'),
        b"[" * 100_000,
        b'{"v":' + b"1" * 10_000 + b"}",
        b" " * MAX_BYTES + encode(ORDER),
    ],
)
def test_what_is_not_one_json_object_as_we_write_it_is_no_message(data: bytes):
    with pytest.raises(BadMessage):
        decode(data)


@given(data=st.binary(max_size=60))
def test_bytes_of_any_origin_are_refused_with_bad_message_and_nothing_else(data: bytes):
    with pytest.raises(BadMessage):
        decode(data)


@given(message=messages, data=st.data())
@settings(max_examples=100)
def test_a_changed_message_is_refused_or_is_another_one(message: Message, data: st.DataObject):
    written = bytearray(encode(message))
    written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = decode(bytes(written))
    except BadMessage:
        return
    assert decode(encode(again)) == again


@pytest.mark.parametrize(
    "text, verdict",
    [
        ("a", True),
        ("0A.b_c:d-e", True),
        ("i" * 64, True),
        ("", False),
        ("i" * 65, False),
        (".a", False),
        ("a\n", False),
        ("\u00e4", False),
    ],
)
def test_an_id_is_short_and_can_stand_in_a_url(text: str, verdict: bool):
    assert is_id(text) is verdict
