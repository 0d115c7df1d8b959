"""A session of the small network on an embedded image, recorded when the rules around it equalled upstream's."""

from __future__ import annotations

from pathlib import Path

from small_segnext import small_model

from iiszoo.protocol import as_model
from iiszoo.registry import registry
from iiszoo.testing import golden

CLICKS = [(294, 293, True), (345, 355, False), (286, 236, False), (120, 180, True)]


def test_a_session_is_as_it_was() -> None:
    model = as_model(small_model(), card=registry().models.resolve("segnext/vitb-sax1"))
    golden.compare(model, Path(__file__).with_name("golden.json"), "small", CLICKS)
