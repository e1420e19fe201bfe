"""A clock that is moved by hand."""

from __future__ import annotations


class ManualClock:
    """A `Clock` that stands still until `advance`. now: unix seconds at the start (2026-11-24T00:00:00Z)."""

    def __init__(self, now: float = 1_795_478_400.0, mono: float = 1_000.0) -> None:
        self._now = now
        self._mono = mono

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def mono(self) -> float:
        """Seconds, for differences only."""
        return self._mono

    def at(self, mono: float) -> float:
        """Unix seconds at that monotonic second."""
        return self._now + (mono - self._mono)

    def advance(self, seconds: float) -> None:
        """Let time pass: both clocks move."""
        assert seconds >= 0.0, f"time goes one way, not {seconds}"
        self._now += seconds
        self._mono += seconds
