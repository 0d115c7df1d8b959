"""`smp/unet-lite0`, the network that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

import iiszoo
from iiszoo import assets, cards
from iiszoo.errors import WeightsError
from iiszoo.registry import registry, resolve_model
from iiszoo.testing import golden, parametrize_checks

CLICKS = [(240, 200, True), (60, 60, False), (150, 230, True), (400, 120, True)]


@pytest.mark.parametrize("options", ["", "?flip=true", "?size=256x384", "?second_look=false"])
def test_golden(options: str) -> None:
    model = iiszoo.load_model(f"smp{options}")
    golden.compare(model, Path(__file__).with_name("golden_smp.json"), f"smp{options}", CLICKS)


@parametrize_checks("smp/*")
def test_conformance(check) -> None:
    if check.check in ("rgb_order", "spawned_process"):
        pytest.skip("in the slow test")
    check()


@pytest.mark.slow
@parametrize_checks("smp/*")
def test_conformance_in_full(check) -> None:
    check()


def test_its_weights_are_part_of_the_package_and_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path))
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    card, _ = resolve_model("smp")
    file = assets.fetch(card)
    assert file.is_relative_to(Path(iiszoo.__file__).parent)
    assert file.stat().st_size == card.weights[0].size <= 10_000_000
    status = assets.verify(card)
    assert (status.state, status.sha256, status.present_bytes) == ("present", card.weights[0].sha256, status.size)
    assert not list(tmp_path.iterdir())
    for act in (assets.remove, lambda card: assets.add(card, file)):
        with pytest.raises(WeightsError, match="is part of the package iiszoo and cannot be"):
            act(card)


def test_a_damaged_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "iiszoo_damaged"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    weights = cards.Weights("w.safetensors", ("package:iiszoo_damaged/w.safetensors",), sha256="0" * 64)
    card = cards.ModelCard(
        id="damaged/one", loader="iiszoo.models.trained:load", summary="", licence="", weights=(weights,)
    )
    assert assets.status(card).state == "missing"
    with pytest.raises(WeightsError, match=r"cannot be read at .*; install iiszoo_damaged again"):
        assets.fetch(card)
    (package / "w.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"has sha256 .*; install iiszoo_damaged again"):
        assets.fetch(card)


def test_both_families_of_the_core_have_a_default() -> None:
    models = registry().models
    assert models.resolve("smp").id == "smp/unet-lite0"
    assert models.resolve("classic").id == "classic/geocut"


@pytest.mark.parametrize("more", [{"sha256": None}, {"urls": ("package:a/b", "file:///x")}])
def test_a_package_url_stands_alone_and_with_a_hash(more) -> None:
    values = {"filename": "w.safetensors", "urls": ("package:a/b",), "sha256": "0" * 64, **more}
    with pytest.raises(ValueError, match="stands alone, and with a sha256"):
        cards.Weights(**values)
