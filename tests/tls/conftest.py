"""What tests of certificates share."""

from pathlib import Path

import pytest

from tests.kit.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches for the certificates of a test."""
    return Authority.make(tmp_path)
