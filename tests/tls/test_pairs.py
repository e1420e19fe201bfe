"""Certificates of a folder: what is good, what is wrong with the rest, and what stays in force meanwhile."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from edge.tls.layout import FileFault, Material, PairFault
from edge.tls.pairs import MAX_FILE_BYTES, in_force, list_folder, looked_at, read_folder
from tests.kit.certificates import Authority

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC).timestamp()
YESTERDAY = dt.datetime(2026, 5, 31, tzinfo=dt.UTC)
TOMORROW = dt.datetime(2026, 6, 2, tzinfo=dt.UTC)


def material(authority: Authority, *names: str, name: str = "a", **dates: dt.datetime) -> Material:
    chain, key = authority.pair(*names, **dates)  # type: ignore[arg-type]
    return Material(name, f"{name}.crt", chain, key)


def test_a_good_one_has_its_names_and_its_end(authority: Authority):
    pair = looked_at(material(authority, "WWW.a.test", "*.a.test", "127.0.0.1", end=TOMORROW), NOW)
    assert pair.names == ("www.a.test", "*.a.test")
    assert pair.expires == TOMORROW.timestamp()


def encrypted(key: bytes) -> bytes:
    loaded = load_pem_private_key(key, None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def test_what_is_wrong_is_told_with_the_remedy(authority: Authority):
    good, other = material(authority, "a.test"), material(authority, "a.test")
    wrong = [
        (Material("a", "a.crt", b"nothing", good.key), "it is no PEM certificate"),
        (Material("a", "a.crt", good.chain, b"nothing"), "its key cannot be read as PEM"),
        (Material("a", "a.crt", good.chain, other.key), "the key beside it is that of another certificate"),
        (Material("a", "a.crt", good.chain, encrypted(good.key)), "its key is encrypted"),
        (material(authority, end=TOMORROW), "it names no host in subjectAltName"),
        (material(authority, "127.0.0.1"), "it names no host in subjectAltName"),
        (material(authority, "a.test", end=YESTERDAY), "it expired on 2026-05-31"),
        (material(authority, "a.test", start=TOMORROW), "it begins to be valid on 2026-06-02"),
    ]
    for each, what in wrong:
        with pytest.raises(PairFault) as refused:
            looked_at(each, NOW)
        fault = refused.value.fault
        assert fault.wrong.startswith(what)
        assert fault.file == "a.crt" and fault.name == "a" and fault.instead
        assert "PRIVATE" not in str(fault)


def test_a_worker_does_not_look_at_the_dates_again(authority: Authority):
    assert looked_at(material(authority, "a.test", end=YESTERDAY), None).names == ("a.test",)


def test_a_folder_is_read_with_its_links_and_without_what_is_hidden(authority: Authority, tmp_path: Path):
    folder = tmp_path / "certs"
    authority.put(tmp_path / "archive", "one", "a.test")
    live = folder / "live" / "a.test"
    live.mkdir(parents=True)
    (live / "fullchain.pem").symlink_to(tmp_path / "archive" / "one.crt")
    (live / "privkey.pem").symlink_to(tmp_path / "archive" / "one.key")
    (folder / ".hidden.key").write_text("x")
    (folder / "deep" / "er" / "still").mkdir(parents=True)
    (folder / "deep" / "er" / "still" / "x.key").write_text("x")
    found, faults = read_folder(folder)
    assert faults == []
    assert [each.name for each in found] == ["live/a.test"]
    assert len(list_folder(folder)) == 2


def test_files_that_cannot_be_read_are_told(authority: Authority, tmp_path: Path):
    folder = tmp_path / "certs"
    authority.put(folder, "a", "a.test")
    authority.put(folder, "b", "b.test")
    (folder / "b.key").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    (folder / "c.key").symlink_to(tmp_path / "nowhere")
    found, faults = read_folder(folder)
    assert [each.name for each in found] == ["a"]
    assert [(fault.file, fault.name) for fault in faults] == [("b.key", "b"), ("c.key", "c")]
    assert read_folder(tmp_path / "nowhere")[1][0].file == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read(authority: Authority, tmp_path: Path):
    folder = tmp_path / "certs"
    authority.put(folder, "a", "a.test")
    (folder / "a.key").chmod(0)
    assert read_folder(folder)[1][0].instead == "let the user of this process read it"


def test_a_pair_that_is_bad_stays_as_it_was_and_others_are_renewed(authority: Authority):
    a, b = material(authority, "a.test", name="a"), material(authority, "b.test", name="b")
    former, faults = in_force([a, b], (), (), NOW)
    assert [pair.name for pair in former] == ["a", "b"] and faults == []
    new_a = material(authority, "a.test", "aa.test", name="a")
    bad_b = Material("b", "b.crt", b.chain, a.key)
    pairs, faults = in_force([new_a, bad_b], former, (), NOW)
    assert [pair.names for pair in pairs] == [("a.test", "aa.test"), ("b.test",)]
    assert [fault.name for fault in faults] == ["b"]
    pairs, faults = in_force([new_a], pairs, (FileFault("b.crt", "there is no key to it", "", "b"),), NOW)
    assert [pair.name for pair in pairs] == ["a", "b"]
    pairs, faults = in_force([new_a], pairs, (), NOW)
    assert [pair.name for pair in pairs] == ["a"] and faults == []


def test_what_is_in_use_is_used_beyond_its_end_and_a_new_one_of_that_kind_is_not(authority: Authority):
    a = material(authority, "a.test", end=TOMORROW)
    former, _ = in_force([a], (), (), NOW)
    pairs, faults = in_force([a], former, (), NOW + 10 * 86400)
    assert pairs == former and faults == []
    assert in_force([a], (), (), NOW + 10 * 86400)[0] == []


def test_when_the_folder_cannot_be_read_all_stay(authority: Authority):
    former, _ = in_force([material(authority, "a.test")], (), (), NOW)
    pairs, faults = in_force([], former, (FileFault("", "it cannot be read", ""),), NOW)
    assert pairs == former and len(faults) == 1


def test_a_newcomer_takes_no_name_from_one_in_use(authority: Authority):
    former, _ = in_force([material(authority, "a.test", name="z")], (), (), NOW)
    newcomer = material(authority, "a.test", "b.test", name="a")
    pairs, faults = in_force([newcomer, former[0].material], former, (), NOW)
    assert [pair.name for pair in pairs] == ["z"]
    assert [fault.wrong for fault in faults] == ["a.test is a name of z.crt already"]


def test_of_two_that_are_in_use_the_one_that_grows_into_the_other_stays_as_it_was(authority: Authority):
    a, b = material(authority, "a.test", name="a"), material(authority, "b.test", name="b")
    former, _ = in_force([a, b], (), (), NOW)
    grown = material(authority, "b.test", "a.test", name="b")
    pairs, faults = in_force([a, grown], former, (), NOW)
    assert [pair.names for pair in pairs] == [("a.test",), ("b.test",)]
    assert len(faults) == 1
