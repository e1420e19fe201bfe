"""Response-rate limiting: what keeps the server from being a weapon against whose address a packet bears. PURE.

Owns: `ResponseRates`. Rules: each network may have `rate` answers a second, and what it did not use for up to `window`
seconds at once; errors have a lower rate of their own. Kept per network is one number, the time at which its account would
be empty again (the generic cell rate algorithm), so that counting is a look-up and an addition. Networks are bounded: those
whose account is full are forgotten first, and while there are too many even so, new ones are not counted: an attack that
comes from everywhere hits nobody hard. Who sends a valid cookie is not asked about here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from edge.settings.dns import RateSettings


class Verdict(Enum):
    """What becomes of an answer."""

    SEND = "send"
    SLIP = "slip"
    """A short one, that makes who is real come back by TCP or with a cookie."""
    DROP = "drop"


class ResponseRates:
    """is_exempt: of a packed address; asked only about who is over the limit. on_full: called for each answer to a network
    that there is no room for.
    """

    def __init__(
        self,
        settings: RateSettings,
        is_exempt: Callable[[bytes], bool],
        on_full: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_full = on_full
        self._is_exempt = is_exempt
        self._slip = settings.slip
        self._over = 0
        self._limit = settings.networks
        self._bits_v4 = settings.prefix_v4
        self._bits_v6 = settings.prefix_v6
        self._swept = float("-inf")
        self.window = settings.window
        self.answer_cost = 0.0 if settings.responses is None else 1.0 / settings.responses
        """Seconds of its account that one answer takes; 0 = there is no limit."""
        self.error_cost = 0.0 if settings.errors is None else 1.0 / settings.errors
        self.answers: dict[bytes, float] = {}
        """Network to the time at which its account is full again."""
        self.errors: dict[bytes, float] = {}

    def network_of(self, source: bytes) -> bytes:
        """The key of a packed address."""
        bits = self._bits_v4 if len(source) == 4 else self._bits_v6
        whole, rest = divmod(bits, 8)
        if not rest:
            return source[:whole]
        return source[:whole] + bytes((source[whole] & (0xFF << 8 - rest) & 0xFF,))

    def verdict(self, source: bytes, now: float, *, is_error: bool) -> Verdict:
        """Count one answer. source: packed address. now: monotonic seconds."""
        cost = self.error_cost if is_error else self.answer_cost
        if not cost:
            return Verdict.SEND
        accounts = self.errors if is_error else self.answers
        network = self.network_of(source)
        full = accounts.get(network)
        if full is None:
            if len(accounts) >= self._limit and not self._swept_some(accounts, now):
                self._on_full()
                return Verdict.SEND
            accounts[network] = now + cost
            return Verdict.SEND
        full = max(full, now)
        if full - now <= self.window - cost / 2:  # half: sums of fractions are not exact
            accounts[network] = full + cost
            return Verdict.SEND
        if self._is_exempt(source):
            return Verdict.SEND
        self._over += 1
        return Verdict.SLIP if self._slip and self._over % self._slip == 0 else Verdict.DROP

    def _swept_some(self, accounts: dict[bytes, float], now: float) -> bool:
        """Forget full accounts, once a second at most, since all have to be looked at. Whether there is room now."""
        if now - self._swept < 1.0:
            return False
        self._swept = now
        for network in [network for network, full in accounts.items() if full <= now]:
            del accounts[network]
        return len(accounts) < self._limit
