"""A fork's own predictor in the standard format."""

from __future__ import annotations

import copy
import sys

import numpy
import pytest
import small_fork
import torch
from small_fork import CLASS, parameter

from iiszoo.errors import BadOption, UpstreamError, WeightsError
from iiszoo.protocol import as_model, split, stack
from iiszoo.upstream import isegm_model, load

torch.set_num_threads(1)


@pytest.fixture
def source(repository):
    return repository(small_fork.FILES)


@pytest.fixture
def checkpoint(tmp_path, source):
    """`checkpoint(**changes)`: a file as isegm's training saves it; `changes` to its config."""

    def write(**changes):
        network = load(source).import_module("isegm.model.is_disc_model").DiscModel()
        network.head.weight.data = torch.tensor([6.0, 2.0]).view(1, 2, 1, 1)
        network.head.bias.data = torch.tensor([-3.0])
        config = {
            "class": CLASS,
            "params": {
                "radius": parameter(7),
                "norm_layer": parameter("torch.nn.modules.batchnorm.BatchNorm2d", "class", specified=False),
                "gone": parameter(1, specified=False),
            },
        }
        config = {**config, **changes}
        torch.save({"state_dict": network.state_dict(), "config": config}, tmp_path / "c.pth")
        return tmp_path / "c.pth"

    return write


@pytest.fixture
def model(source, checkpoint):
    return isegm_model(source, checkpoint())


def picture(seed: int, height: int = 30, width: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, height, width), generator=generator).float() / 255


CLICKS = [((8, 9), True), ((20, 30), True), ((9, 12), False), ((25, 5), True)]


def play(model, x, clicks=CLICKS, z=None):
    """The outputs and states of a session."""
    z = z or model.init_z(x)
    pcs, ncs, seen = [], [], []
    for click, positive in clicks:
        pcs, ncs = [*pcs, [[click] if positive else []]], [*ncs, [[] if positive else [click]]]
        y, z = model(x, z, pcs, ncs)
        seen.append((y, z))
    return seen


def by_hand(model, x, clicks=CLICKS, **first):
    """What the fork itself answers, with one predictor for the session."""
    clicker = model.namespace.import_module("isegm.inference.clicker")
    predictor = model._predictor()
    predictor.set_input_image((x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy())
    answers = []
    with torch.no_grad():
        for n in range(1, len(clicks) + 1):
            made = [clicker.Click(positive, click) for click, positive in clicks[:n]]
            answers.append(predictor.get_prediction(clicker.Clicker(init_clicks=made), **(first if n == 1 else {})))
    return answers, predictor


def test_the_answers_are_those_of_the_forks_predictor(model):
    x = picture(0)
    answers, predictor = by_hand(model, x)
    seen = play(model, x)
    for answer, (y, z) in zip(answers, seen, strict=True):
        assert y.shape == (1, 1, 30, 40)
        assert y.dtype == torch.float32
        assert numpy.array_equal(y[0, 0].numpy(), answer)
        assert z["prev_output"] is y
    assert (answers[0] > 0.5).any()
    assert predictor.calls == 4
    memory = seen[-1][1]["memory"][0]["predictor"]
    assert (memory["calls"], memory["history"], memory["dtype"]) == (4, [1, 2, 3, 4], "uint8")
    assert [z["roi"].tolist() for _, z in seen[:2]] == [[[-1] * 4], [[8, 21, 0, 40]]]


def test_interleaved_sessions_do_not_mix(model):
    a, b = picture(1), picture(2)
    alone = play(model, a), play(model, b, CLICKS[::-1])
    za, zb = model.init_z(a), model.init_z(b)
    pa, na, pb, nb = [], [], [], []
    for n, ((ca, sa), (cb, sb)) in enumerate(zip(CLICKS, CLICKS[::-1], strict=True)):
        pa, na = [*pa, [[ca] if sa else []]], [*na, [[] if sa else [ca]]]
        pb, nb = [*pb, [[cb] if sb else []]], [*nb, [[] if sb else [cb]]]
        ya, za = model(a, za, pa, na)
        yb, zb = model(b, zb, pb, nb)
        assert torch.equal(ya, alone[0][n][0])
        assert torch.equal(yb, alone[1][n][0])


def test_a_call_changes_none_of_its_arguments_and_can_be_repeated(model):
    x = picture(3)
    _, z = play(model, x, CLICKS[:2])[-1]
    pcs, ncs = [[[CLICKS[0][0]]], [[CLICKS[1][0]]], [[]]], [[[]], [[]], [[CLICKS[2][0]]]]
    before = copy.deepcopy((x, z, pcs, ncs))
    y, _ = model(x, z, pcs, ncs)
    again, _ = model(x, z, pcs, ncs)
    assert torch.equal(y, again)
    assert str(before) == str((x, z, pcs, ncs))
    assert torch.equal(before[1]["memory"][0]["predictor"]["running"], z["memory"][0]["predictor"]["running"])


def test_a_batch_is_its_elements(model):
    images = [picture(4), picture(5), picture(6, 20, 50)]
    alone = [play(model, x)[-1][0][0] for x in images]
    z = stack([model.init_z(x) for x in images])
    x = [image[0] for image in images]
    pcs, ncs = [], []
    for click, positive in CLICKS:
        pcs, ncs = [*pcs, [[click] if positive else []] * 3], [*ncs, [[] if positive else [click]] * 3]
        y, z = model(x, z, pcs, ncs)
        z = stack(split(z))
    assert isinstance(y, list)
    for b in range(3):
        assert torch.equal(y[b], alone[b])


def test_an_element_without_clicks_keeps_its_mask(model):
    x = torch.cat((picture(7), picture(8)))
    z = model.init_z(x)
    z["prev_output"][1, 0, :5] = 0.7
    y, z = model(x, z, [[[(8, 9)], []]], [[[], []]])
    assert torch.equal(y[1], torch.where(torch.arange(30)[None, :, None] < 5, 0.7, 0.0).expand(1, 30, 40))
    assert z["memory"][1] is None


@pytest.mark.parametrize("mode", ["NoBRS", "Masked"])
def test_an_initial_mask_is_handed_to_the_predictor(source, checkpoint, mode):
    model, x = isegm_model(source, checkpoint(), brs_mode=mode), picture(9)
    mask = torch.zeros(1, 1, 30, 40)
    mask[..., 20:, :] = 1
    start = model.init_z(x)
    start["prev_output"] = mask
    seen = play(model, x, z=start)
    if mode == "NoBRS":
        answers, _ = by_hand(model, x, prev_mask=mask)
        assert all(numpy.array_equal(y[0, 0].numpy(), answer) for (y, _), answer in zip(seen, answers, strict=True))
    without = play(model, x)
    assert (seen[0][0] - without[0][0])[..., 20:, :].min() > 0.01


def test_a_predictor_that_cannot_start_from_a_mask_says_so(source, checkpoint):
    model, x = isegm_model(source, checkpoint(), brs_mode="Forgetful"), picture(9)
    assert play(model, x)
    with pytest.raises(UpstreamError, match="Forgetful takes no previous mask"):
        play(model, x, z={**model.init_z(x), "prev_output": torch.ones(1, 1, 30, 40)})


def test_images_that_are_not_of_8_bits_keep_their_values(model):
    x = picture(10) * 0.9973
    y, z = play(model, x)[0]
    assert z["memory"][0]["predictor"]["dtype"] == "float32"
    assert y.shape == (1, 1, 30, 40)


def test_options_of_the_fork(source, checkpoint):
    plain, loud = isegm_model(source, checkpoint()), isegm_model(source, checkpoint(), gain=2.0)
    x = picture(11)
    assert not torch.equal(play(plain, x)[0][0], play(loud, x)[0][0])
    unzoomed = isegm_model(source, checkpoint(), zoom_in=False)
    assert play(unzoomed, x)[-1][1]["roi"].tolist() == [[-1] * 4]
    assert isegm_model(source, checkpoint(), zoom_in={"target_size": 7})._predictor().zoom_in.target_size == 7
    assert as_model(plain).ragged
    with pytest.raises(BadOption, match="no option 'volume'"):
        isegm_model(source, checkpoint(), volume=2)
    with pytest.raises(BadOption, match="no brs_mode 'f-BRS-B'"):
        isegm_model(source, checkpoint(), brs_mode="f-BRS-B")
    with pytest.raises(BadOption, match="sideways"):
        isegm_model(source, checkpoint(), zoom_in={"sideways": 1})


def test_the_network_is_made_as_the_config_says(model):
    assert model.network.radius == 7
    assert type(model.network).__module__ == f"{model.namespace.name}.isegm.model.is_disc_model"
    assert not model.network.training
    assert not any(p.requires_grad for p in model.network.parameters())


def test_a_config_that_a_clone_wrote_is_read_too(source, checkpoint):
    private = f"{load(source).name}.{CLASS}"
    assert type(isegm_model(source, checkpoint(**{"class": private})).network).__name__ == "DiscModel"


@pytest.mark.parametrize(
    "changes",
    [
        {"class": "os.system", "params": {"command": parameter("touch harmed")}},
        {"class": "no_such_module.Network"},
        {"class": "torch.nn.Linear"},
        {"class": "isegm.model.is_disc_model.NotANetwork"},
        {"class": "isegm.model.is_disc_model.np"},
        {"params": {"norm_layer": parameter("antigravity.Norm", "class")}},
        {"params": {"norm_layer": parameter("torch.hub.load", "class")}},
    ],
)
def test_what_a_checkpoint_names_is_not_imported_unless_it_is_the_clones(source, checkpoint, changes, tmp_path):
    file = checkpoint(**changes)
    before = set(sys.modules)
    with pytest.raises(WeightsError, match="which is not a network class of the clone"):
        isegm_model(source, file)
    assert not {"antigravity", "no_such_module"} & (set(sys.modules) - before)
    assert not (tmp_path / "harmed").exists()


def test_a_state_dict_alone_needs_build(source, tmp_path):
    network = load(source).import_module("isegm.model.is_disc_model").DiscModel(radius=3)
    torch.save(network.state_dict(), tmp_path / "s.pth")
    with pytest.raises(UpstreamError, match="give `build`"):
        isegm_model(source, tmp_path / "s.pth")

    def build(clone):
        return clone.import_module("isegm.model.is_disc_model").DiscModel(radius=3)

    model = isegm_model(source, tmp_path / "s.pth", build=build)
    assert torch.equal(model.network.head.weight, network.head.weight)
    assert isegm_model(source, None, build=build).network.radius == 3
    with pytest.raises(UpstreamError, match="TypeError"):
        isegm_model(source, None, build=lambda clone: clone.import_module(CLASS.rpartition(".")[0]).DiscModel(depth=1))


def test_a_checkpoint_of_another_network(source, checkpoint, tmp_path):
    read = torch.load(checkpoint(), weights_only=True)
    read["state_dict"]["extra"] = torch.zeros(1)
    torch.save(read, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="extra"):
        isegm_model(source, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="has no state dict"):
        isegm_model(source, tmp_path / "list.pth")


def test_a_fork_that_is_none(repository):
    with pytest.raises(UpstreamError, match="names no upstream"):
        isegm_model(None, "c.pth")
    with pytest.raises(UpstreamError, match=r"no module isegm\.inference"):
        isegm_model(repository({"isegm/a.py": ""}), None, build=lambda clone: torch.nn.Identity())
