"""What a purge can name: read strictly, and in the same spelling as what requests are stored under."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ClientFault
from edge.semantics.key import primary_key
from edge.semantics.message import Authority
from edge.semantics.rules import KeyRules, QueryRule
from edge.semantics.selectors import (
    MAX_PREFIX_SEGMENTS,
    MAX_URL_BYTES,
    MAX_VARIANT_CHARS,
    MAX_VARIANT_FIELDS,
    BadSelector,
    Host,
    Prefix,
    Uri,
    Variant,
    prefixes_of,
    read_host,
    read_prefix,
    read_uri,
    read_variant,
)
from edge.wire.limits import Limits
from edge.wire.request import parse_request_head

PLAIN = KeyRules()
HTTP, HTTPS = Authority(b"http", b"h.example", 80), Authority(b"https", b"h.example", 443)


def uri(target: bytes, scheme: bytes = b"https", host: bytes = b"h.example", port: int = 443) -> Uri:
    return Uri(Authority(scheme, host, port), target)


# -- URLs --

URLS = [
    ("https://h.example/a", uri(b"/a")),
    ("http://h.example/a", uri(b"/a", b"http", port=80)),
    ("HTTPS://H.Example./A", uri(b"/A")),
    ("https://h.example", uri(b"/")),
    ("https://h.example?q", uri(b"/?q")),
    ("https://h.example/a?", uri(b"/a?")),
    ("https://h.example/a?b=c&d?e", uri(b"/a?b=c&d?e")),
    ("https://h.example:443/", uri(b"/")),
    ("http://h.example:443/", uri(b"/", b"http", port=443)),
    ("https://h.example:08443/", uri(b"/", port=8443)),
    ("https://h.example//a//", uri(b"//a//")),
    ("https://h.example/%2fa;b", uri(b"/%2fa;b")),
    ("https://h.example/..%2fa/..;/b", uri(b"/..%2fa/..;/b")),
    ("https://h.example/a?../..", uri(b"/a?../..")),
    ("https://[2001:DB8:0:0::1]/", uri(b"/", host=b"[2001:db8::1]")),
    ("https://[::ffff:1.2.3.4]:444/", uri(b"/", host=b"[::ffff:1.2.3.4]", port=444)),
    ("https://_x-1.example/", uri(b"/", host=b"_x-1.example")),
]


@pytest.mark.parametrize("text, expected", URLS)
def test_a_url_is_read(text: str, expected: Uri):
    assert read_uri(text).target == expected.target
    assert read_uri(text).authority.scheme == expected.authority.scheme
    assert read_uri(text).authority.port == expected.authority.port
    assert read_uri(text).authority.host == read_host(expected.authority.host.decode()).host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h.example/a",
        "/a",
        "//h.example/a",
        "ftp://h.example/a",
        "https:///a",
        "https://h.example/a#b",
        "https://user@h.example/a",
        "https://user:secret@h.example/a",
        "https://h.example:0/",
        "https://h.example:65536/",
        "https://h.example:443x/",
        "https://h.example:/",
        "https://h..example/",
        "https://.h.example/",
        "https://-h.example/",
        "https://h.example../",
        "https://./",
        "https://h\u00e4.example/",
        "https://h.example/\u00e4",
        "https://h.example/a b",
        "https://h.example/a\n",
        "https://h.example/a\x00",
        'https://h.example/"',
        "https://h.example/<",
        "https://h.example/a\\b",
        "https://h.example/./a",
        "https://h.example/a/..",
        "https://h.example/%2e%2E/a",
        "https://[::1/",
        "https://[1:2]/",
        "https://[fe80::1%25eth0]/",
        "https://*.example/",
        "https://h.example/" + "a" * MAX_URL_BYTES,
    ],
)
def test_what_is_no_url_is_refused(text: str):
    with pytest.raises(BadSelector):
        read_uri(text)


def test_a_url_on_a_default_port_names_what_is_there_on_both_schemes():
    assert uri(b"/a").authorities() == (HTTP, HTTPS)
    assert uri(b"/a", b"http", port=80).authorities() == (HTTP, HTTPS)
    odd = uri(b"/a", port=8443)
    assert odd.authorities() == (odd.authority,)


def test_a_url_can_be_written_as_it_was_read_up_to_the_bound():
    query = "?" + "q" * (MAX_URL_BYTES - len("https://h.example/?"))
    assert read_uri(read_uri("https://h.example" + query).render()) == uri(b"/" + query.encode())
    with pytest.raises(BadSelector):
        read_uri("https://h.example" + query + "q")


hosts = st.sampled_from(
    ("h.example", "H.eXample", "h.example.", "g.example", "[::1]", "[0:0::1]", "[::2]", "10.0.0.1")
)
ports = st.sampled_from(("", ":80", ":443", ":8080", ":08080"))
pieces = st.sampled_from(("/", "a", "A", "%2f", "%2F", ";", ".", "..", "%2e", "?", "&", "=", "~", "[", "|"))
targets = st.lists(pieces, max_size=5).map("".join).map(lambda rest: "/" + rest.lstrip("/"))
schemes = st.sampled_from(("http", "https"))
urls = st.tuples(schemes, hosts, ports, targets)
Url = tuple[str, str, str, str]


def stored_under(url: Url, rules: KeyRules = PLAIN) -> bytes:
    """The primary key of a GET for it, through the request parser. ClientFault."""
    scheme, host, port, target = url
    head = f"GET {target} HTTP/1.1\r\nHost: {host}{port}\r\n\r\n".encode()
    request = parse_request_head(head, Limits(), scheme.encode()).head
    return primary_key(request.authority, request.target, rules)


def purged(url: Url, rules: KeyRules = PLAIN) -> set[bytes]:
    """The keys that a purge of it names."""
    found = read_uri("{}://{}{}{}".format(*url))
    return {primary_key(authority, found.target, rules) for authority in found.authorities()}


def same_thing(url: Url) -> tuple[str, int, str]:
    """What the URL names, by other means."""
    scheme, host, port, target = url
    number = int(port[1:]) if port else {"http": 80, "https": 443}[scheme]
    on_default = number == {"http": 80, "https": 443}[scheme]
    host = {"[0:0::1]": "[::1]"}.get(host, host.lower().rstrip("."))
    return host, 0 if on_default else number + (scheme == "https") * 100_000, target


@given(one=urls, other=urls, alike=st.booleans())
@settings(max_examples=150)
def test_a_purge_of_a_url_hits_exactly_what_a_get_of_it_has_stored(one: Url, other: Url, alike: bool):
    if alike:
        other = (*other[:3], one[3])
    try:
        key = stored_under(other)
    except ClientFault:
        with pytest.raises(BadSelector):
            read_uri("{}://{}{}{}".format(*other))
        return
    assert key in purged(other)
    try:
        named = purged(one)
    except BadSelector:
        return
    assert (key in named) is (same_thing(one) == same_thing(other))


@given(text=st.text(max_size=30) | st.lists(pieces, max_size=6).map("".join), url=urls)
@settings(max_examples=100)
def test_reading_a_url_raises_nothing_else(text: str, url: Url):
    scheme, host, port, _ = url
    for whole in (text, f"{scheme}://{host}{port}/{text}", f"{scheme}://{text}/"):
        try:
            found = read_uri(whole)
        except BadSelector:
            continue
        assert re.fullmatch(rb"[!-~]+", found.target)


@pytest.mark.parametrize(
    "rule, named, also",
    [
        (QueryRule.NONE, "/a?b=1", "/a?c=2"),
        (QueryRule.SORTED, "/a?b=1&a=2", "/a?a=2&b=1"),
        (QueryRule.ALLOW, "/a?keep=1&b=2", "/a?b=3&keep=1"),
        (QueryRule.DENY, "/a?keep=1&b=2", "/a?b=2&keep=5"),
    ],
)
def test_where_a_site_cuts_the_query_a_purge_names_all_that_share_what_is_left(
    rule: QueryRule, named: str, also: str
):
    rules = KeyRules(
        query=rule, query_names=frozenset((b"keep",)) if rule is not QueryRule.SORTED else frozenset()
    )
    url = ("https", "h.example", "", named)
    assert stored_under(url, rules) in purged(url, rules)
    assert stored_under((*url[:3], also), rules) in purged(url, rules)
    assert stored_under((*url[:3], "/b"), rules) not in purged(url, rules)


# -- prefixes and hosts --

PREFIXES = [
    ("h.example/a", Prefix(b"h.example", b"/a")),
    ("https://h.example/a", Prefix(b"h.example", b"/a")),
    ("HTTP://H.example./a/B/", Prefix(b"h.example", b"/a/B/")),
    ("h.example//", Prefix(b"h.example", b"//")),
    ("h.example/%2f", Prefix(b"h.example", b"/%2f")),
    ("[0::1]/a", Prefix(b"[::1]", b"/a")),
    ("h.example", Host(b"h.example")),
    ("h.example/", Host(b"h.example")),
    ("https://h.example/", Host(b"h.example")),
]


@pytest.mark.parametrize("text, expected", PREFIXES)
def test_a_prefix_is_read_and_that_of_the_root_is_the_host(text: str, expected: Prefix | Host):
    assert read_prefix(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "h.example:80/a",
        "h.example/a?b",
        "h.example/a#b",
        "u@h.example/a",
        "h.example/a/../b",
        "h.example/*\u00e4",
        "h..example/a",
        "h.example" + "/a" * (MAX_PREFIX_SEGMENTS + 1),
        "h.example/" + "a" * MAX_URL_BYTES,
    ],
)
def test_what_is_no_prefix_is_refused(text: str):
    with pytest.raises(BadSelector):
        read_prefix(text)


NAMED = [
    ("/a", b"/a", True),
    ("/a", b"/a/", True),
    ("/a", b"/a/b/c", True),
    ("/a", b"/a//b", True),
    ("/a", b"/ab", False),
    ("/a", b"/A", False),
    ("/a", b"/b/a", False),
    ("/a", b"/", False),
    ("/a/", b"/a/", True),
    ("/a/", b"/a/b", True),
    ("/a/", b"/a", False),
    ("/a/b", b"/a/b", True),
    ("/a/b", b"/a", False),
    ("//", b"//a", True),
    ("//", b"/a", False),
    ("/a;b", b"/a;b/c", True),
    ("/a%2fb", b"/a%2fb/c", True),
    ("/a%2fb", b"/a/b/c", False),
]


@pytest.mark.parametrize("prefix, path, named", NAMED)
def test_a_prefix_counts_in_whole_segments(prefix: str, path: bytes, named: bool):
    found = read_prefix("h.example" + prefix)
    assert isinstance(found, Prefix)
    assert (found.path in prefixes_of(path)) is named


paths = st.text("ab/", max_size=10).map(lambda rest: "/" + rest)


@given(prefix=paths.filter(lambda path: path != "/"), path=paths)
@settings(max_examples=150)
def test_a_prefix_names_what_is_it_or_is_below_it(prefix: str, path: str):
    below = prefix if prefix.endswith("/") else prefix + "/"
    found = read_prefix("h.example" + prefix)
    assert isinstance(found, Prefix)
    assert (found.path in prefixes_of(path.encode())) is (path == prefix or path.startswith(below))


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("more", ["", "/", "/x", "/x" * 100])
def test_the_longest_prefix_there_is_names_what_is_below_it_and_costs_no_more(ending: str, more: str):
    slashes = MAX_PREFIX_SEGMENTS - len(ending)
    text = "/s" * slashes + ending
    found = read_prefix("h.example" + text)
    assert isinstance(found, Prefix)
    path = (text.removesuffix("/") + (more or ending)).encode()
    assert found.path in prefixes_of(path)
    assert len(prefixes_of(path)) <= 2 * MAX_PREFIX_SEGMENTS + 1


@pytest.mark.parametrize(
    "text, host", [("H.Example.", b"h.example"), ("[::0]", b"[::]"), ("10.0.0.1", b"10.0.0.1")]
)
def test_a_host_is_read(text: str, host: bytes):
    assert read_host(text) == Host(host)


@pytest.mark.parametrize(
    "text", ["", ".", "h.example:80", "h.example/", "http://h.example", "*", "a b", "[::1", "h\u00e4"]
)
def test_what_is_no_host_is_refused(text: str):
    with pytest.raises(BadSelector):
        read_host(text)


# -- variants --


def test_a_variant_is_named_by_request_fields_in_one_order_and_case():
    one = read_variant(uri(b"/a"), {"Accept-Encoding": " gzip\t", "ACCEPT": "\u00e4"})
    assert one == Variant(uri(b"/a"), ((b"accept", b"\xc3\xa4"), (b"accept-encoding", b"gzip")))
    assert one == read_variant(uri(b"/a"), {"accept": "\u00e4", "accept-encoding": "gzip"})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"": "x"},
        {"a b": "x"},
        {"a:": "x"},
        {"\u00e4": "x"},
        {"a": "x\ny"},
        {"a": "\x00"},
        {"a": "\ud800"},
        {f"f{at}": "x" for at in range(MAX_VARIANT_FIELDS + 1)},
        {"a": "x" * MAX_VARIANT_CHARS},
        {"Accept": "x", "accept": "y"},
    ],
)
def test_what_no_request_can_say_names_no_variant(fields: dict[str, str]):
    with pytest.raises(BadSelector):
        read_variant(uri(b"/a"), fields)
