"""Every bound of edge.wire.limits is a setting, and its default is allowed."""

from __future__ import annotations

from dataclasses import fields

import pytest

from edge.settings.limit_schema import LIMITS
from edge.settings.schema import Setting
from edge.wire.limits import DEFAULT_LIMITS, Limits


def test_every_limit_is_a_setting_of_its_name():
    assert [setting.path for setting in LIMITS] == [f"limits.{field.name}" for field in fields(Limits)]
    assert all(setting.into == setting.path for setting in LIMITS)


@pytest.mark.parametrize("setting", LIMITS, ids=[setting.path for setting in LIMITS])
def test_the_default_of_a_limit_has_its_type(setting: Setting):
    default: object = getattr(DEFAULT_LIMITS, setting.path.removeprefix("limits."))
    written = setting.kind.write(default).strip('"')
    read = setting.kind.read(int(written) if written.isdigit() else written)
    assert read == default
    assert type(read) is type(default)
