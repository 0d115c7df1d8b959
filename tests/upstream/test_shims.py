"""Names that libraries have dropped: given to clones, and to nobody else."""

from __future__ import annotations

import collections
import importlib
import sys
import textwrap
from importlib.abc import MetaPathFinder

import numpy
import pytest
import torch

from iiszoo.errors import UpstreamError
from iiszoo.models import mmcv_stand_in
from iiszoo.upstream import _shims, load

REMOVED = [name for name in ("int", "float", "object", "float_", "product") if name not in vars(numpy)]

CODE = """
import collections
import numpy
import numpy as np
import torch
from collections import Iterable
from numpy import zeros
from torch._six import container_abcs, string_classes

zeros_of_numpy = np.zeros
kinds = [np.int, np.float, np.object]
ones = np.ones(2, np.int)
random = np.random
np.mine = 5
mapping = collections.Mapping


def missing():
    return np.no_such_name
"""

MMCV = """
from abc import ABCMeta

import albumentations.augmentations.functional as functional
import mmcv
import mmcv.cnn
from mmcv.cnn import ConvModule, build_norm_layer
from mmcv.runner import BaseModule, auto_fp16
from mmcv.utils import Registry
from torch.utils.tensorboard import SummaryWriter

HEADS = Registry("heads", parent=mmcv.cnn.MODELS)


class Writer(SummaryWriter, metaclass=ABCMeta):
    pass


@HEADS.register_module()
class Head(BaseModule):
    def __init__(self):
        super().__init__(init_cfg=None)
        self.conv = ConvModule(3, 4, 1, norm_cfg=dict(type="BN", requires_grad=True))

    @auto_fp16(apply_to=("x",))
    def forward(self, x):
        return self.conv(x)


def norm():
    return build_norm_layer(dict(type="BN"), 3)


def write():
    return Writer("folder")


def blur():
    return functional.blur(1)
"""


MMCV_2 = {
    "__init__": "__version__ = '2.1.0'\n",
    "cnn": "class ConvModule:\n    pass\n",
    "ops": "import mmcv._ext\n",
    "utils": "def is_str(x):\n    return isinstance(x, str)\n",
}
"""mmcv 2 as far as these tests need it: it has dropped `mmcv.runner`, `mmcv.utils.Registry` and more."""


class NoMmcv(MetaPathFinder):
    """Whether mmcv is installed here or not."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "mmcv":
            raise ModuleNotFoundError("No module named 'mmcv'", name="mmcv")


@pytest.fixture(autouse=True)
def no_mmcv(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [NoMmcv(), *sys.meta_path])
    theirs = {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] == "mmcv"}
    yield
    for name in [*sys.modules]:
        if name.partition(".")[0] == "mmcv":
            del sys.modules[name]
    sys.modules.update(theirs)


@pytest.fixture
def mmcv_2(no_mmcv, tmp_path, monkeypatch):
    sys.meta_path.pop(0)
    package = tmp_path / "installed" / "mmcv"
    package.mkdir(parents=True)
    for name, code in MMCV_2.items():
        (package / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(package.parent)


@pytest.fixture
def space(repository):
    return load(repository({"isegm/old.py": CODE, "isegm/heads.py": MMCV}))


def test_removed_names_within_a_clone(space):
    old = space.import_module("isegm.old")
    assert [old.kinds[0], old.kinds[1], old.kinds[2]] == [int, float, object]
    assert old.ones.dtype == numpy.int64
    assert issubclass(dict, old.mapping)
    assert old.container_abcs is collections.abc
    assert issubclass(list, old.Iterable)
    assert {f"numpy.{name}" for name in REMOVED if name in ("int", "float", "object")} <= space.shims_used
    assert {"collections.Mapping", "torch._six"} <= space.shims_used


def test_everything_else_is_the_real_one(space):
    old = space.import_module("isegm.old")
    assert old.zeros_of_numpy is numpy.zeros
    assert old.zeros is numpy.zeros
    assert old.random is numpy.random
    assert old.torch is torch
    assert set(dir(numpy)) <= set(dir(old.np))
    assert old.np.__name__ == "numpy"
    assert old.np.__file__ == numpy.__file__
    with pytest.raises(AttributeError, match="no_such_name"):
        old.missing()


def test_nobody_else_sees_them(space):
    space.import_module("isegm.old")
    space.import_module("isegm.heads")
    assert REMOVED
    for name in REMOVED:
        assert name not in vars(numpy)
    assert not hasattr(numpy, "mine")
    assert not hasattr(collections, "Mapping")
    for module in ("torch._six", "mmcv", "albumentations"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(module)


def test_python_may_have_come_without_tkinter():
    used: set[str] = set()
    for missing in ("tkinter", "_tkinter"):
        assert _shims.stand_in("tkinter", missing, True, used).E is not None
    assert used == {"tkinter"}


def test_another_clone_does_not_see_what_one_sets(space, repository):
    space.import_module("isegm.old")
    other = load(repository({"isegm/b.py": "import numpy as np\n"}, "other"))
    assert not hasattr(other.import_module("isegm.b").np, "mine")


def test_what_is_only_imported_need_not_be_installed(space):
    heads = space.import_module("isegm.heads")
    head = heads.Head().eval()
    assert sorted(key for key in head.state_dict() if key.endswith("weight")) == ["conv.bn.weight", "conv.conv.weight"]
    x = torch.randn(1, 3, 5, 5)
    with torch.no_grad():
        wanted = head.conv.bn(head.conv.conv(x)).clamp(min=0)
        assert torch.equal(head(x), wanted)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("norm", "mmcv.cnn.build_norm_layer"),
        ("write", "torch.utils.tensorboard.SummaryWriter"),
        ("blur", "albumentations.augmentations.functional.blur"),
    ],
)
def test_using_it_says_what_is_missing(space, function, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # whether it is installed here or not
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(UpstreamError, match=f"uses {name}, but the module .* is not installed"):
        getattr(space.import_module("isegm.heads"), function)()


def test_names_that_an_installed_mmcv_has_dropped_are_as_if_it_were_not_installed(mmcv_2, repository):
    code = """
        import mmcv
        import mmcv.runner
        from mmcv.cnn import ConvModule, kaiming_init
        from mmcv.ops import DeformConv2d
        from mmcv.runner import BaseModule, auto_fp16
        from mmcv.utils import Registry, is_str

        HEADS = Registry("heads", parent=mmcv.cnn.MODELS)
        convolution = mmcv.cnn.ConvModule


        class Head(mmcv.runner.BaseModule):
            @auto_fp16(apply_to=("x",))
            def forward(self, x):
                return x


        def deform():
            return DeformConv2d(3, 3)


        def register():
            return Registry("heads")
    """
    heads = load(repository({"isegm/heads.py": textwrap.dedent(code)})).import_module("isegm.heads")
    own = importlib.import_module("mmcv.cnn")
    assert heads.ConvModule is heads.convolution is own.ConvModule
    assert heads.is_str("a")
    assert heads.BaseModule is mmcv_stand_in.BaseModule
    assert heads.Head()(3) == 3
    for function, name in ((heads.register, "mmcv.utils.Registry"), (heads.deform, "mmcv.ops.DeformConv2d")):
        with pytest.raises(UpstreamError, match=f"uses {name}, but"):
            function()
    with pytest.raises(ImportError):
        from mmcv.cnn import kaiming_init  # noqa: F401  nobody else sees it


def test_another_missing_package_stays_missing(repository):
    code = "try:\n    import inplace_abn\nexcept ImportError:\n    FOUND = False\n"
    assert load(repository({"isegm/a.py": code})).import_module("isegm.a").FOUND is False


def test_every_shim_of_a_name_leads_somewhere():
    for names in (*_shims.NAMES.values(), *_shims.MODULES.values()):
        for path in names.values():
            assert _shims.resolved(path) is not None
