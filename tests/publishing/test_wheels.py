"""What is published works: every project builds, and what is built serves a user who has nothing else."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECTS = [REPOSITORY, *sorted(path.parent for path in REPOSITORY.glob("plugins/*/pyproject.toml"))]

Shell = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution of each project, and the wheel that is built from it."""
    place = tmp_path_factory.mktemp("dist")
    for project in PROJECTS:
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", place, project],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
    return place


def test_each_project_has_both_and_an_index_would_show_them(dist: Path) -> None:
    names = [project.name.replace("-", "_") for project in PROJECTS[1:]]
    for suffix in (".tar.gz", "-py3-none-any.whl"):
        assert sorted(file.name.partition("-")[0] for file in dist.glob(f"*{suffix}")) == ["iiszoo", *names]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir())],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_has_its_licence_and_the_source_the_documentation(dist: Path) -> None:
    for wheel in dist.glob("*.whl"):
        names = zipfile.ZipFile(wheel).namelist()
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names), wheel.name
        assert any(name.endswith("/py.typed") for name in names), wheel.name
    (source,) = dist.glob("iiszoo-*.tar.gz")
    with tarfile.open(source) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    for page in REPOSITORY.glob("docs/*.md"):
        assert f"docs/{page.name}" in files
    assert {"SECURITY.md", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md", "hatch_build.py"} <= files


def test_the_wheels_alone_are_enough(
    dist: Path,
    environment_without_iiszoo: Callable[[], Shell],
    tmp_path: Path,
) -> None:
    shell = environment_without_iiszoo()
    names = " ".join(wheel.name.partition("-")[0] for wheel in sorted(dist.glob("*.whl")))
    done = shell(
        f"""
        pip install -q --no-deps --no-index --find-links {shlex.quote(str(dist))} {names}
        pip check
        export IISZOO_STRICT_PLUGINS=1 IISZOO_OFFLINE=1 IISZOO_CACHE=$PWD/cache IISZOO_CONFIG=$PWD/config
        python -c 'import iiszoo; print("from", iiszoo.__file__)'
        python -c 'from iiszoo import documentation as d; print(*(d.file(p) for p in ("conformance", "upstream")))'
        iiszoo plugins
        iiszoo list models
        iiszoo bench --limit 2
        iiszoo report runs --html report.html
        iiszoo new mine
        """,
        tmp_path,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "No broken requirements found" in done.stdout
    (home,) = (line.removeprefix("from ") for line in done.stdout.splitlines() if line.startswith("from "))
    assert not home.startswith(str(REPOSITORY))
    pages = next(line for line in done.stdout.splitlines() if line.endswith("upstream.md")).split()
    assert all(Path(page).parent == Path(home).parent / "docs" and Path(page).is_file() for page in pages)
    assert "broken" not in done.stdout.replace("No broken", "")
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert (tmp_path / "iiszoo-mine" / "pyproject.toml").exists()
