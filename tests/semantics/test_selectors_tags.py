"""What names a response by its fields: tags and cache groups, as they stand there and as a purge says them."""

from __future__ import annotations

import pytest

from edge.semantics.message import Authority, Fields, Line
from edge.semantics.selectors import (
    MAX_TAG_BYTES,
    MAX_TAGS,
    BadSelector,
    Group,
    Site,
    Tag,
    cache_groups,
    invalidated_groups,
    read_group,
    read_site,
    read_tag,
    selectors_for,
)

HTTPS = Authority(b"https", b"h.example", 443)

FIELDS: list[tuple[str, list[Line], tuple[bytes, ...]]] = [
    ("none", [], ()),
    ("Fastly", [(b"Surrogate-Key", b"a b\tc  d")], (b"a", b"b", b"c", b"d")),
    ("Varnish", [(b"xkey", b"a"), (b"xkey", b"b c")], (b"a", b"b", b"c")),
    ("Cloudflare", [(b"Cache-Tag", b"a, b ,c d,,\t,e")], (b"a", b"b", b"c d", b"e")),
    ("Akamai", [(b"Edge-Cache-Tag", b"a,b"), (b"edge-cache-tag", b"c")], (b"a", b"b", b"c")),
    ("RFC 9875", [(b"Cache-Groups", b'"a", "b c"')], (b"a", b"b c")),
    ("no comma in a key", [(b"Surrogate-Key", b"a,b")], (b"a,b",)),
    ("any bytes", [(b"Cache-Tag", b"\xc3\xa4,\xff")], (b"\xc3\xa4", b"\xff")),
    ("case counts", [(b"Cache-Tag", b"A,a")], (b"A", b"a")),
    (
        "each once",
        [(b"Cache-Tag", b"a,b,a"), (b"Surrogate-Key", b"b"), (b"Cache-Groups", b'"a"')],
        (b"b", b"a"),
    ),
    (
        "all of them",
        [(b"Cache-Groups", b'"g"'), (b"Cache-Tag", b"t"), (b"xkey", b"x"), (b"Surrogate-Key", b"s")],
        (b"s", b"x", b"t", b"g"),
    ),
    ("as long as may be", [(b"Cache-Tag", b"t" * MAX_TAG_BYTES)], (b"t" * MAX_TAG_BYTES,)),
    ("longer, which nobody can name", [(b"Cache-Tag", b"t" * (MAX_TAG_BYTES + 1) + b",u")], (b"u",)),
]


@pytest.mark.parametrize("lines, tags", [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_the_tags_of_a_response(lines: list[Line], tags: tuple[bytes, ...]):
    assert selectors_for("s", HTTPS, b"/a", Fields(lines)).tags == tags


GROUPS: list[tuple[bytes, tuple[bytes, ...]]] = [
    (b'"a"', (b"a",)),
    (b'"a", "b", "a"', (b"a", b"b")),
    (b'"a";p=1', (b"a",)),
    (b'"\\"\\\\"', (b'"\\',)),
    (b'""', ()),
    (b"", ()),
    (b"a", ()),
    (b'"a", b', ()),
    (b'"a", 1', ()),
    (b'"a", ("b")', ()),
    (b'"a",', ()),
    (b'"a', ()),
    (b'"%b", "b"' % (b"a" * (MAX_TAG_BYTES + 1)), (b"b",)),
]


@pytest.mark.parametrize("said, groups", GROUPS)
def test_cache_groups_are_strings_or_the_field_counts_for_nothing(said: bytes, groups: tuple[bytes, ...]):
    """RFC 9875 s2, s3."""
    response = Fields([(b"Cache-Groups", said), (b"Cache-Group-Invalidation", said)])
    assert cache_groups(response) == invalidated_groups(response) == groups
    assert selectors_for("s", HTTPS, b"/a", response).groups == groups


def test_groups_on_several_lines_are_one_list():
    response = Fields([(b"Cache-Groups", b'"a"'), (b"Cache-Groups", b'"b"')])
    assert cache_groups(response) == (b"a", b"b")
    assert cache_groups(Fields()) == invalidated_groups(Fields()) == ()


def test_tags_and_groups_beyond_the_bound_are_not_kept():
    response = Fields(
        [
            (b"Surrogate-Key", b" ".join(b"t%d" % at for at in range(MAX_TAGS + 5))),
            (b"Cache-Groups", b", ".join(b'"g%d"' % at for at in range(MAX_TAGS + 5))),
        ]
    )
    named = selectors_for("s", HTTPS, b"/a", response)
    assert len(named.tags) == len(named.groups) == MAX_TAGS


def test_a_response_is_named_by_its_path_without_the_query():
    named = selectors_for("s", HTTPS, b"/a/b?c?d", Fields())
    assert (named.site, named.authority, named.path) == ("s", HTTPS, b"/a/b")


@pytest.mark.parametrize("text", ["a", "a b", "a,b", "\u00e4", "\udcff", "t" * MAX_TAG_BYTES])
def test_a_tag_is_any_text_as_it_stands_in_the_field(text: str):
    found = read_tag("s", text)
    assert found == Tag("s", text.encode("utf-8", "surrogateescape"))
    assert found.tag in selectors_for(
        "s", HTTPS, b"/", Fields([(b"Cache-Tag", b"x, " + found.tag)])
    ).tags or (b"," in found.tag)


@pytest.mark.parametrize(
    "text",
    ["", " a", "a ", "\ta", "a\nb", "a\x00", "\x7f", "t" * (MAX_TAG_BYTES + 1), "\u00e4" * 600, "\ud800"],
)
def test_what_no_response_can_carry_as_a_tag_is_refused(text: str):
    with pytest.raises(BadSelector):
        read_tag("s", text)


def test_a_group_belongs_to_an_origin():
    assert read_group("https://h.example/x", "a b") == Group(HTTPS, b"a b")
    for text in ("", "\u00e4", "a\tb", "g" * (MAX_TAG_BYTES + 1), "\ud800"):
        with pytest.raises(BadSelector):
            read_group("https://h.example/", text)


def test_a_site_has_a_name():
    for name in ("shop", "*.example.org", "b\u00fccher", "a b"):
        assert read_site(name) == Site(name)
        assert read_tag(name, "t").site == name
    for name in ("", "a\n", "s" * 257):
        with pytest.raises(BadSelector):
            read_site(name)
        with pytest.raises(BadSelector):
            read_tag(name, "t")
