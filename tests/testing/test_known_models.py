"""The built-in models keep what the standard format promises."""

from __future__ import annotations

import pytest

from iiszoo.testing import parametrize_checks

COSTLY = ("rgb_order", "spawned_process", "image_sizes")


@pytest.mark.slow
@parametrize_checks("classic/*")
def test_classic(check):
    check()


@parametrize_checks("classic/grabcut")
def test_grabcut_in_short(check):
    if check.check in COSTLY:
        pytest.skip("in the slow test")
    check()
