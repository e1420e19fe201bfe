"""Where the message bus is, who we are there, and what is called what. PURE.

Owns: `BusAddress`, made once by the supervisor from the settings (and from the server of our own, where it started one),
and handed to the worker processes as JSON. Rules: it is all that a process needs for its own connection; the token is
shown nowhere. Subjects of the log are <prefix>.log.*; the server repeats each of its messages as <prefix>.live.*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.settings.node import NatsSettings

OWN_REPLICAS = 1
SHARED_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Files are paths, None = there is none. max_age: seconds; max_bytes: of the stream. is_own: the server is ours."""

    urls: tuple[str, ...]
    token: str | None = field(default=None, repr=False)
    credentials: str | None = None
    nkey: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    prefix: str = "perigee"
    stream: str = "PERIGEE"
    domain: str | None = None
    replicas: int = OWN_REPLICAS
    max_age: float = 7 * 86_400.0
    max_bytes: int = 1 << 30
    is_own: bool = False

    @classmethod
    def of(cls, settings: NatsSettings, *, own_url: str = "", own_token: str | None = None) -> BusAddress:
        """As the settings say. own_url, own_token: of the server of our own, which takes the place of `nats.url`."""
        is_own = bool(own_url)
        usual = OWN_REPLICAS if is_own else SHARED_REPLICAS
        return cls(
            urls=(own_url,) if is_own else settings.url,
            token=own_token if is_own else settings.token,
            credentials=None if is_own else _path(settings.credentials),
            nkey=None if is_own else _path(settings.nkey),
            ca_file=None if is_own else _path(settings.ca_file),
            cert_file=None if is_own else _path(settings.cert_file),
            key_file=None if is_own else _path(settings.key_file),
            prefix=settings.prefix,
            stream=settings.stream,
            domain=None if is_own else settings.domain,
            replicas=usual if settings.replicas is None else settings.replicas,
            max_age=settings.max_age,
            max_bytes=settings.max_bytes,
            is_own=is_own,
        )

    def as_json(self) -> dict[str, Any]:
        """For another process of ours; it has the token."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> BusAddress:
        """What `as_json` gave, also after a trip through JSON."""
        return cls(**{**said, "urls": tuple(said["urls"])})

    # -- names --

    @property
    def log_subjects(self) -> str:
        """All that is in the log."""
        return f"{self.prefix}.log.>"

    @property
    def live_subjects(self) -> str:
        """The log again, as it is written, to whoever listens."""
        return f"{self.prefix}.live.>"

    @property
    def order_subject(self) -> str:
        """Of purge orders in the log."""
        return f"{self.prefix}.log.order"

    @property
    def tick_subject(self) -> str:
        """Of ticks in the log."""
        return f"{self.prefix}.log.tick"

    @property
    def history_subject(self) -> str:
        """Of new histories in the log."""
        return f"{self.prefix}.log.history"

    @property
    def beat_subject(self) -> str:
        """Where nodes say that they live; not in the log."""
        return f"{self.prefix}.beat"

    def api(self, name: str) -> str:
        """A subject of the JetStream API. $JS.API does not cross a leaf node, the domain's does."""
        return f"$JS.API.{name}" if self.domain is None else f"$JS.{self.domain}.API.{name}"


def _path(file: object) -> str | None:
    return None if file is None else str(file)


def subject_token(name: str) -> str:
    """A name of ours as one token of a subject: dots would make several of it, or none."""
    return name.replace(".", "=")
