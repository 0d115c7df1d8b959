"""Forks that are all named `isegm`, in one process."""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from iiszoo.errors import UpstreamError
from iiszoo.upstream import load

WAYS = """
    import importlib
    import importlib.util
    import sys
    from importlib import import_module
    from pathlib import Path

    import isegm
    import isegm.deep.leaf
    import isegm.deep.leaf as leaf_as
    from isegm import other as other_from
    from isegm.deep.leaf import NAME
    from isegm.deep import leaf as leaf_from
    from . import other as other_relative
    from .deep.leaf import NAME as NAME_RELATIVE
    import models.small

    NAMES = [isegm.deep.leaf.NAME, leaf_as.NAME, NAME, leaf_from.NAME, NAME_RELATIVE, models.small.NAME]
    MODULES = [isegm.other, other_from, other_relative]
    DATA = (Path(__file__).parent / "data.txt").read_text()


    def late():
        import isegm.late
        from isegm.late import NAME
        return isegm.late.NAME, NAME


    def by_name(name):
        return [importlib.import_module(name), import_module(name), __import__(name, fromlist=["NAME"])]


    def top():
        return __import__("isegm.deep.leaf")


    def dynamic():
        scope = {}
        exec("import isegm.deep.leaf as found", globals(), scope)
        return scope["found"], eval("__import__('isegm').other")


    def script(name):
        spec = importlib.util.spec_from_file_location("script", Path(__file__).parents[1] / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


    def relative():
        return import_module(".deep.leaf", "isegm"), import_module(".deep.leaf", __package__)


    class Kept:
        def __init__(self, value):
            self.value = value
"""


def fork(name: str) -> dict[str, str]:
    """A fork as they are: `isegm` is a plain directory, its modules name each other absolutely."""
    code = "\n".join(line.removeprefix("    ") for line in WAYS.splitlines())
    return {
        "isegm/ways.py": code,
        "isegm/data.txt": name,
        "isegm/deep/__init__.py": "",
        "isegm/deep/leaf.py": f"import isegm.ways\nNAME = {name!r}\n",  # and in circles
        "isegm/late.py": f"NAME = {name!r}\n",
        "isegm/other.py": "",
        "isegm/paths.py": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'extra'))\n"
        "sys.path.insert(0, '/somewhere')\nimport neighbour\nfrom sys import path\n",
        "isegm/extra/neighbour.py": f"NAME = {name!r}\n",
        "isegm/broken.py": "import no_such_package\n",
        "isegm/failing.py": "1 / 0\n",
        "isegm/leaving.py": "import sys\nsys.exit(3)\n",
        "isegm/needy.py": "import isegm.no_such_module\n",
        "models/small.py": f"NAME = {name!r}\n",
        "script.py": "from isegm.deep.leaf import NAME\n",
        "json/notes.py": "raise RuntimeError('the standard library comes first')\n",
        "isegm/uses_json.py": "import json\nTEXT = json.dumps([1])\n",
    }


@pytest.fixture
def forks(repository):
    return [load(repository(fork(name), name)) for name in ("red", "blue")]


@pytest.fixture
def ways(forks):
    return {name: space.import_module("isegm.ways") for name, space in zip(("red", "blue"), forks, strict=True)}


def test_each_way_of_importing_stays_within_its_fork(ways):
    for name, module in ways.items():
        found = [*module.NAMES, *module.late(), module.top().deep.leaf.NAME, module.dynamic()[0].NAME, module.DATA]
        found += [leaf.NAME for leaf in (*module.by_name("isegm.deep.leaf"), *module.relative())]
        found += [module.script("script.py").NAME]
        assert found == [name] * 17
        assert {id(other) for other in (*module.MODULES, module.dynamic()[1])} == {id(module.isegm.other)}
        assert [json.dumps([1]) for json in module.by_name("json")] == ["[1]"] * 3


def test_nothing_is_left_under_their_own_names(forks, ways):
    before = list(sys.path)
    for space in forks:
        assert space.import_module("isegm.paths").neighbour.NAME in ("red", "blue")
        assert "/somewhere" in space.import_module("isegm.paths").path
    assert sys.path == before
    assert not [name for name in sys.modules if name.split(".")[0] in ("isegm", "models", "neighbour", "script")]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("isegm")
    assert not list(forks[0].root.rglob("__pycache__"))


def test_a_class_says_where_it_comes_from_and_can_be_pickled(forks, ways):
    red, blue = (ways[name].Kept for name in ("red", "blue"))
    assert red.__module__ == f"{forks[0].name}.isegm.ways"
    assert forks[0].name == f"_iiszoo_upstream.red_{forks[0].source.commit[:8]}"
    assert red.__module__ != blue.__module__
    for kind in (red, blue):
        again = pickle.loads(pickle.dumps(kind(7)))
        assert type(again) is kind
        assert again.value == 7
        assert type(copy.deepcopy(again)) is kind
    assert importlib.import_module(red.__module__).Kept is red


def test_the_same_namespace_at_each_call(repository):
    source = repository(fork("red"))
    assert load(source) is load(source)
    assert load(source).import_module("isegm.ways") is load(source).import_module("isegm.ways")


def test_the_same_commit_in_another_cache_is_another_namespace(repository, monkeypatch, tmp_path):
    source = repository(fork("red"))
    first = load(source)
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path / "other"))
    second = load(source)
    assert second.name != first.name
    assert Path(second.import_module("isegm.ways").__file__).is_relative_to(tmp_path / "other")


def test_an_installed_isegm_is_not_taken_for_the_clones(repository, tmp_path, monkeypatch):
    (tmp_path / "site" / "isegm").mkdir(parents=True)
    (tmp_path / "site" / "isegm" / "__init__.py").write_text("NAME = 'installed'\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    module = load(repository(fork("red"))).import_module("isegm.ways")
    assert module.NAMES == ["red"] * 6
    assert importlib.import_module("isegm").NAME == "installed"
    del sys.modules["isegm"]


def test_a_directory_named_as_a_standard_module_hides_nothing(forks):
    assert forks[0].import_module("isegm.uses_json").TEXT == "[1]"


def test_a_regular_package_and_a_package_in_it(repository):
    files = {"isegm/__init__.py": "from isegm.a import A\n", "isegm/a.py": "import isegm\nA = 5\n"}
    space = load(repository(files))
    assert space.import_module("isegm").A == 5
    assert space.import_module("isegm.a").isegm is space.import_module("isegm")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("isegm.broken", "needs the module no_such_package, which is not installed"),
        ("isegm.failing", "ZeroDivisionError"),
        ("isegm.leaving", "SystemExit"),
        ("isegm.needy", "has no module isegm.no_such_module"),
        ("isegm.nowhere", "has no module isegm.nowhere"),
    ],
)
def test_what_cannot_be_imported_is_said(forks, module, said):
    with pytest.raises(UpstreamError, match=said) as error:
        forks[0].import_module(module)
    assert forks[0].source.commit[:8] in str(error.value)


def test_two_forks_imported_at_once_by_many_threads(repository):
    slow = {f"isegm/m{i}.py": f"import time\ntime.sleep(0.002)\nimport isegm.m{i + 1}\n" for i in range(8)}
    sources = [
        repository({**slow, "isegm/m8.py": f"NAME = {name!r}\n", "isegm/all.py": "import isegm.m0\n"}, name)
        for name in ("red", "blue")
    ]
    barrier = threading.Barrier(8)

    def run(number):
        barrier.wait()
        space = load(sources[number % 2])
        space.import_module("isegm.all")
        return number % 2, space.name, space.import_module("isegm.m8").NAME

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(run, range(8)))
    assert len(found) == 2
    assert {(number, name) for number, _, name in found} == {(0, "red"), (1, "blue")}
