"""Whatever is wrong in a fork: one sentence, with the line of the fork, and no warning of the fork beside it."""

from __future__ import annotations

import warnings

import pytest
import small_fork
import torch

from iiszoo.engine.session import Session
from iiszoo.errors import IISZooError, UpstreamError
from iiszoo.tracebacks import foreign_traceback
from iiszoo.upstream import isegm_model, load
from iiszoo.upstream._isegm import IsegmModel
from iiszoo.upstream._quiet import quiet
from iiszoo.upstream._synthetic import write_synthetic_checkpoint

NETWORK = "isegm/model/is_disc_model.py"
PREDICTORS = "isegm/inference/predictors/__init__.py"
IMAGE = torch.zeros(3, 20, 24)


def build(clone):
    return clone.import_module("isegm.model.is_disc_model").DiscModel(radius=9)


@pytest.fixture
def model_of(repository):
    """`model_of(file, old, new)`: the model of a fork in one of whose files `old` is replaced, untrained."""

    def made(file, old, new):
        text = small_fork.FILES[file]
        assert old in text
        return isegm_model(repository({**small_fork.FILES, file: text.replace(old, new, 1)}), None, build=build)

    return made


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (NETWORK, "class DiscModel", "class DiscModel(:\nclass DiscModel", r"SyntaxError: .*\(.*is_disc_model.py:8\)"),
        (NETWORK, "import torch\n", "import torch\nimport no_such_package\n", "needs the module no_such_package"),
        (NETWORK, "import torch\n", "import torch\n1 / 0\n", r"ZeroDivisionError: .*is_disc_model.py:4, in <module>"),
        (NETWORK, "class DiscModel", "class OtherModel", r"AttributeError: .*'DiscModel'"),
        (NETWORK, "self.norm = ", "self.norm = [][1]\n        ", r"cannot be built: IndexError: .*py:15, in __init__"),
        (PREDICTORS, "def get_predictor", "def get_another", "is not a fork of isegm: AttributeError: .*get_predictor"),
        (PREDICTORS, "def get_predictor", "def get_predictor(net, brs_mode, device, **rest):\n    import nothing_here\n"
         "def other", "has no option 'prob_thresh'"),
        (PREDICTORS, "    zoom_in = None if", "    {}['a']\n    zoom_in = None if",
         r"the predictor of .* cannot be made: KeyError: 'a' \(.*predictors/__init__.py:\d+, in get_predictor\)"),
    ],
)  # fmt: skip
def test_a_fork_that_cannot_be_loaded(model_of, file, old, new, said):
    with pytest.raises(IISZooError, match=said) as error:
        model_of(file, old, new)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (NETWORK, "disks = torch", "disks = [][1]\n        disks = torch", r"IndexError: .*_model.py:\d+, in forward"),
        (PREDICTORS, "return self.prev_prediction.cpu().numpy()[0, 0]", "return self.prev_prediction[:, :, 1:]",
         "the output|shape|must answer"),
        (PREDICTORS, "return self.prev_prediction.cpu().numpy()[0, 0]", "return None", "answer|shape|TypeError"),
        (PREDICTORS, "self.calls += 1", "import sys; sys.exit(3)", r"SystemExit: 3 \(.*__init__.py:\d+, in get_pred"),
    ],
)  # fmt: skip
def test_a_fork_that_fails_when_it_runs(model_of, file, old, new, said, tmp_path):
    model = model_of(file, old, new)
    session = Session(model, IMAGE)
    with pytest.raises(IISZooError, match=said):
        session.click(5, 5)
    if "IndexError" in said:
        with pytest.raises(UpstreamError, match=f"synthetic weights cannot be fitted .*{said}") as error:
            write_synthetic_checkpoint(model, IMAGE, tmp_path / "s.pth")
        assert "in forward" in (foreign_traceback(error.value) or "")


def test_warnings_of_a_fork_are_not_shown_and_others_are(repository, recwarn):
    warn = "import warnings\nwarnings.warn('{} is old', {})\n"
    files = dict(small_fork.FILES)
    files[NETWORK] = warn.format("import", "DeprecationWarning") + files[NETWORK] + "\nPATTERN = '\\d'\n"
    files[NETWORK] = files[NETWORK].replace("disks = torch", "warnings.warn('forward is old')\n        disks = torch")
    files[PREDICTORS] = warn.format("predictors", "FutureWarning") + files[PREDICTORS]
    warnings.simplefilter("always")
    model = isegm_model(repository(files), None, build=build)
    assert isinstance(model, IsegmModel)
    Session(model, IMAGE).click(5, 5)
    assert [str(warning.message) for warning in recwarn] == []
    warnings.warn("of iiszoo", stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == ["of iiszoo"]


def test_the_filters_of_warnings_are_restored_by_the_last_that_leaves():
    before = list(warnings.filters)
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert warnings.filters[0][0] == "ignore"
    second.__exit__(None, None, None)
    assert warnings.filters == before


def test_a_module_that_the_clone_imports_as_it_runs_is_quiet_too(repository, recwarn):
    files = {"isegm/__init__.py": "def late():\n    from isegm import old\n    return old.X\n"}
    files["isegm/old.py"] = "import warnings\nwarnings.warn('old')\nX = 3\n"
    warnings.simplefilter("always")
    clone = load(repository(files))
    assert clone.import_module("isegm").late() == 3
    assert not list(recwarn)
