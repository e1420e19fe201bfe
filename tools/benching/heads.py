"""The request head that every measured request has. PURE.

Owns: `FIELDS` and `request_bytes`. Fourteen fields, Host among them, in the order and of the length in which a desktop
browser sends them for a part of a page, a cookie of an analytics script included: short heads flatter a server whose cost
is in parsing.
"""

from __future__ import annotations

from collections.abc import Sequence

Field = tuple[str, str]

FIELDS: tuple[Field, ...] = (
    ("Connection", "keep-alive"),
    ("sec-ch-ua-platform", '"Linux"'),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ),
    ("sec-ch-ua", '"Chromium";v="142", "Not?A_Brand";v="24", "Google Chrome";v="142"'),
    ("sec-ch-ua-mobile", "?0"),
    ("Accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "no-cors"),
    ("Sec-Fetch-Dest", "image"),
    ("Referer", "http://www.example.com/a/page/of/some/length.html"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"),
    ("Cookie", "_ga=GA1.1.1234567890.1700000000; theme=dark"),
)
"""All but Host."""


def request_bytes(host: str, target: str, extra: Sequence[Field] = ()) -> bytes:
    """A GET for `target` with FIELDS and `extra`, which stands in place of what has its name in FIELDS."""
    replaced = {name for name, _ in extra}
    kept = [field for field in FIELDS if field[0] not in replaced]
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (*kept, *extra)]
    return "\r\n".join((*lines, "", "")).encode()
