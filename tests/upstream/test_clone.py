"""`iiszoo.upstream.clone`: the files of one commit, whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream_git import commit, git

from iiszoo.cards import Source
from iiszoo.errors import UpstreamError
from iiszoo.upstream import _clone, clone, place
from iiszoo.upstream._git import GitFailed

FILES = {"isegm/a.py": "A = 1\n", "data/names.txt": "one\r\ntwo\n", "picture.png": b"\x89PNG"}


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def as_bytes(files: dict) -> dict[str, bytes]:
    return {name: text if isinstance(text, bytes) else text.encode() for name, text in files.items()}


def remove_object(source: Source, file: str) -> None:
    hash = git(Path(source.repo), "rev-parse", f"{source.commit}:{file}")
    (Path(source.repo) / ".git" / "objects" / hash[:2] / hash[2:]).unlink()


def test_the_files_of_the_commit_byte_for_byte_and_of_no_other(repository, git_settings):
    files = {**FILES, "data/unix.txt": "one\n$Id$\n", "data/names.txt": "one\n"}
    files[".gitattributes"] = "*.txt text eol=crlf ident\n*.png filter=lfs\n"
    source = repository(files)
    commit(Path(source.repo), {"isegm/a.py": "A = 2\n", "isegm/later.py": ""})
    git_settings.write_text(
        git_settings.read_text() + '[core]\nautocrlf = true\n[filter "lfs"]\nsmudge = false\nrequired = true\n'
    )
    root = clone(source)
    assert root == place(source) / "files"
    assert content(root) == as_bytes(files)
    assert sorted(path.name for path in place(source).iterdir()) == ["files", "manifest.json"]


def test_through_gits_transport_only_that_commit_is_asked_for(repository, over_ssh, monkeypatch):
    here = repository(FILES)
    git(Path(here.repo), "config", "uploadpack.allowFilter", "true")
    first = commit(Path(here.repo), {"isegm/a.py": "A = 2\n"})
    commit(Path(here.repo), {"isegm/a.py": "A = 3\n"})
    kinds, check_out = [], _clone._check_out

    def counting(git, *arguments):
        objects = git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
        kinds.append(sorted(objects.split()))
        check_out(git, *arguments)

    monkeypatch.setattr(_clone, "_check_out", counting)
    assert content(clone(over_ssh(Source(here.repo, first)))) == {**as_bytes(FILES), "isegm/a.py": b"A = 2\n"}
    assert kinds == [["commit", "tree", "tree", "tree"]]  # and what the checkout needs, then


@pytest.mark.parametrize("filters", ["true", "false"])
@pytest.mark.parametrize("version", [0, 2])
def test_any_server_will_do(repository, over_ssh, git_settings, version, filters):
    here = repository(FILES)
    git(Path(here.repo), "config", "uploadpack.allowFilter", filters)
    commit(Path(here.repo), {"isegm/a.py": "A = 2\n"})
    # with the first version of the protocol, single commits and files are not handed out
    git_settings.write_text(git_settings.read_text() + f"[protocol]\nversion = {version}\n")
    assert content(clone(over_ssh(here))) == as_bytes(FILES)


def test_url_insteadof_is_honoured(repository, git_settings):
    here = repository(FILES)
    git_settings.write_text(git_settings.read_text() + f'[url "file://{here.repo}"]\ninsteadOf = https://h.invalid/x\n')
    source = Source("https://h.invalid/x", here.commit)
    assert content(clone(source)) == as_bytes(FILES)
    assert place(source).parent.name == "x"


def test_insteadof_from_the_environment_too(repository, monkeypatch):
    here = repository(FILES)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{here.repo}/.git.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://h.invalid/x.git")
    assert content(clone(Source("https://h.invalid/x.git", here.commit))) == as_bytes(FILES)


def test_a_hook_of_git_may_be_running(repository, tmp_path, monkeypatch):
    source = repository(FILES)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert content(clone(source)) == as_bytes(FILES)
    assert not (tmp_path / "index").exists()


def test_a_partial_mirror_may_lack_pictures_and_history_but_no_code(repository, caplog):
    source = repository({**FILES, "odd [name]*.gif": b"GIF"})
    later = Source(source.repo, commit(Path(source.repo), {"isegm/a.py": "A = 2\n"}))
    remove_object(source, "isegm/a.py")
    remove_object(source, "odd [name]*.gif")
    remove_object(source, "picture.png")
    root = clone(later)
    assert content(root) == {"isegm/a.py": b"A = 2\n", "data/names.txt": b"one\r\ntwo\n"}
    assert "2 files that its mirror lacks" in caplog.text
    assert _clone.manifest(later).absent == ["odd [name]*.gif", "picture.png"]
    with pytest.raises(UpstreamError, match=r"lacks isegm/a\.py"):
        clone(source)
    assert not place(source).exists()


def test_a_partial_server_may_lack_pictures(repository, over_ssh):
    here = repository(FILES)
    git(Path(here.repo), "config", "uploadpack.allowFilter", "true")
    remove_object(here, "picture.png")
    assert content(clone(over_ssh(here))) == {k: v for k, v in as_bytes(FILES).items() if k != "picture.png"}


def test_submodules_are_left_out(repository):
    source = repository(FILES)
    folder = Path(source.repo)
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{source.commit},third_party/other")
    git(folder, "commit", "--quiet", "-m", "submodule")
    with_submodule = Source(source.repo, git(folder, "rev-parse", "HEAD"))
    assert content(clone(with_submodule)) == as_bytes(FILES)
    assert clone(with_submodule)


@pytest.mark.parametrize("wrong", ["b9b4460", "main", "", "B" * 40, "-" * 40, None, 40 * 7, b"1" * 40, "1" * 40 + "\n"])
def test_anything_but_a_full_hash_is_refused(repository, wrong):
    with pytest.raises(UpstreamError, match="full hash"):
        clone(Source(repository(FILES).repo, wrong))


@pytest.mark.parametrize("remote", [False, True])
def test_a_commit_that_is_not_there(repository, over_ssh, remote):
    here = repository(FILES)
    source = Source(here.repo, "1" * 40)
    with pytest.raises(UpstreamError, match=r"cannot be cloned at 11111111: .*commit"):
        clone(over_ssh(source) if remote else source)
    assert [path.name for path in place(source).parent.glob("*") if not path.name.endswith(".lock")] == []


def test_the_hash_of_a_file_is_no_commit(repository):
    here = repository(FILES)
    blob = git(Path(here.repo), "rev-parse", "HEAD:isegm/a.py")
    with pytest.raises(UpstreamError, match="does not have this commit"):
        clone(Source(here.repo, blob))


def test_offline_no_connection_is_made_and_the_error_says_what_to_do(repository, over_ssh, tmp_path, monkeypatch):
    here = repository(FILES)
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    away = over_ssh(here)
    with pytest.raises(UpstreamError) as error:
        clone(away)
    assert not (tmp_path / "connections").exists()
    assert f"url.DIRECTORY.insteadOf {away.repo}" in str(error.value)
    assert str(place(away)) in str(error.value)
    assert not place(away).exists()
    assert clone(here).is_dir()  # this machine is no connection
    monkeypatch.setenv("IISZOO_OFFLINE", "0")
    clone(away)
    monkeypatch.setenv("IISZOO_OFFLINE", "1")
    assert content(clone(away)) == as_bytes(FILES)  # what is there is used


def test_what_is_in_the_cache_needs_neither_git_nor_the_repository(repository, monkeypatch, tmp_path):
    source = repository(FILES)
    root = clone(source)
    (tmp_path / "repositories").rename(tmp_path / "gone")
    monkeypatch.setenv("PATH", "")
    assert clone(source) == root


def test_without_git(repository, monkeypatch):
    source = repository(FILES)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UpstreamError, match="install git"):
        clone(source)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: (root / "isegm/a.py").write_text("A = 3\n"), "isegm/a.py is changed"),
        (lambda root: (root / "isegm/a.py").unlink(), "isegm/a.py is missing"),
        (lambda root: (root / "isegm/__init__.py").touch(), "isegm/__init__.py was added"),
        (lambda root: (root.parent / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda root: (root.parent / "manifest.json").unlink(), "manifest.json cannot be read"),
    ],
)
def test_a_damaged_clone_is_told(repository, damage, said):
    source = repository(FILES)
    root = clone(source)
    (root / "isegm" / "__pycache__").mkdir()  # no damage
    (root / "isegm" / "__pycache__" / "a.pyc").touch()
    assert clone(source) == root
    damage(root)
    with pytest.raises(UpstreamError, match=said) as error:
        clone(source)
    assert f"remove {place(source)}" in str(error.value)


def test_a_clone_of_another_commit_in_its_place_is_told(repository):
    source = repository(FILES)
    clone(source)
    manifest = place(source) / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "commit": "2" * 40}))
    with pytest.raises(UpstreamError, match="contains commit 2222"):
        clone(source)


def test_an_interrupted_clone_leaves_nothing(repository, monkeypatch):
    source = repository(FILES)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_clone, "_written", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clone(source)
    assert [path.name for path in place(source).parent.iterdir() if not path.name.endswith(".lock")] == []


def test_what_killed_clones_left_is_no_clone_and_is_removed(repository):
    source = repository(FILES)
    parts = [place(source).with_name(f"{source.commit}.{middle}part") for middle in ("", "17-0a1b.", "18-2c3d.")]
    for part in parts:
        (part / "files").mkdir(parents=True)
        (part / "files" / "half.py").touch()
    other = place(source).with_name(f"{'1' * 40}.17-0a1b.part")
    other.mkdir()
    assert content(clone(source)) == as_bytes(FILES)
    assert not any(part.exists() for part in parts)
    assert other.exists()  # of another commit, which another process may be cloning


def test_each_attempt_has_a_directory_of_its_own(repository, monkeypatch):
    source, parts = repository(FILES), []

    def failing(source, part, there):
        parts.append(part)
        raise GitFailed("no")

    monkeypatch.setattr(_clone, "_checked_out", failing)
    for _ in range(2):
        with pytest.raises(UpstreamError):
            clone(source)
    assert len({*parts}) == 2


def test_what_writes_on_after_a_kill_does_not_disturb_the_next_clone(repository, monkeypatch):
    """git outlives the process that was killed, and goes on writing to that process's directory."""
    source = repository(FILES)
    stale = place(source).with_name(f"{source.commit}.1-00000000.part")
    ended = threading.Event()

    def write_on() -> None:
        n = 0
        while not ended.is_set():
            n += 1
            with suppress(OSError):
                (stale / "git" / "objects").mkdir(parents=True, exist_ok=True)
                (stale / "git" / "objects" / str(n)).touch()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        assert content(clone(source)) == as_bytes(FILES)
    finally:
        ended.set()
        writer.join()


def test_after_a_kill_the_next_clone_succeeds_at_once(repository, over_ssh, tmp_path):
    here = repository({**FILES, **{f"isegm/m{n}.py": "A = 1\n" * 2000 for n in range(40)}})
    away = over_ssh(here)
    script = f"from iiszoo.upstream import Source, clone; clone(Source({away.repo!r}, {away.commit!r}))"
    for n in range(8):
        process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not list(place(away).parent.glob("*.part/git")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(0.01 * n)
        process.kill()
        process.wait()
        assert clone(away).is_dir()
        shutil.rmtree(place(away))


NO_ADDRESSES = [
    ".", "..", "", "/", "//", " ", "\t", "file:", "file://", "file:///", "file:x", "file://host", "repo",
    "../repo", "~/repo", "./repo", "a\0b", "/a\0b", "https://h.invalid/a\nb", "fd::17", "fd::17,18/x",
    "ext::sh -c 'touch harmed'", "::x",
    "transport::address", "-uharmed", "--upload-pack=touch harmed", "-oProxyCommand=touch harmed",
    "ssh://-oProxyCommand=x/y",
    "ssh://git@-oProxyCommand=x/y", "git@-oProxyCommand=x:y", "git@host:-x", "ftp://h.invalid/x",
    "git+ssh://h.invalid/x",
    "rsync://h.invalid/x", "HTTPS://h.invalid/x", "https://", "https:///x", "https://h.invalid", "https://h.invalid/ ",
    " https://h.invalid/x", "host:", "\ud800", None, 3, b"/x", Path("/x"),
]  # fmt: skip


@pytest.mark.parametrize("repo", NO_ADDRESSES, ids=repr)
def test_what_is_no_address_of_a_repository_is_one_sentence_and_never_runs(repo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **named: pytest.fail("git was run"))
    for action in (clone, place):
        with pytest.raises(
            UpstreamError, match=r"cannot be cloned: .*; a Source names a repository by an address"
        ) as error:
            action(Source(repo, "1" * 40))
        assert "\n" not in str(error.value)
        assert "\0" not in str(error.value)


@pytest.mark.parametrize(
    "repo",
    [
        "https://h.invalid/x", "http://user:word@h.invalid:8080/x/y.git", "ssh://git@h.invalid:22/~x/y",
        "git://h.invalid/x", "git@h.invalid:x/y.git", "h.invalid:x", "host:/a b/c", "file:///a/b c",
        "file://localhost/a", "file:/a", "/a/b c",
        "/a::b", "git@h.invalid:a::b", "https://[::1]/x", "/é/ü", f"https://h.invalid/{'x' * 400}",
    ],
)  # fmt: skip
def test_addresses_of_repositories(repo):
    assert len(place(Source(repo, "1" * 40)).parent.name) <= 100


@pytest.mark.parametrize("helper", ["ext::touch {tmp}/harmed", "fd::17"])
def test_an_insteadof_that_leads_to_a_program_is_refused_by_git(helper, git_settings, tmp_path):
    there = helper.format(tmp=tmp_path)
    settings = f'[url "{there}"]\ninsteadOf = https://h.invalid/x\n[protocol]\nallow = always\n'
    git_settings.write_text(git_settings.read_text() + settings)
    with pytest.raises(UpstreamError, match=r"cannot be cloned at 11111111: .*not allowed"):
        clone(Source("https://h.invalid/x", "1" * 40))
    assert not (tmp_path / "harmed").exists()


@given(st.text(max_size=12) | st.text("./\\:@-~ \0file", max_size=12))
@settings(max_examples=100, deadline=None)
def test_any_text_is_an_address_or_one_sentence(text):
    try:
        said = place(Source(text, "1" * 40)).parent.name
    except UpstreamError as error:
        said = str(error)
    assert said
    assert "\n" not in said


def test_a_checkout_that_is_not_the_commit_is_refused(repository, monkeypatch):
    source = repository(FILES)
    check_out = _clone._check_out

    def tampered(git, *arguments):
        check_out(git, *arguments)
        (git.files / "isegm" / "a.py").write_text("A = 4\n")

    monkeypatch.setattr(_clone, "_check_out", tampered)
    with pytest.raises(UpstreamError, match=r"isegm/a\.py is changed"):
        clone(source)
    assert not place(source).exists()


def test_a_checkout_of_another_commit_is_refused(repository, monkeypatch):
    first = repository(FILES)
    second = Source(first.repo, commit(Path(first.repo), {}))  # with the same files
    check_out = _clone._check_out
    monkeypatch.setattr(_clone, "_check_out", lambda git, commit, left_out: check_out(git, second.commit, left_out))
    with pytest.raises(UpstreamError, match=f"the checkout is of commit {second.commit}"):
        clone(first)
    assert not place(first).exists()


def test_many_at_once_clone_once(repository, monkeypatch):
    source = repository(FILES)
    fetched, found = [], []
    fetch = _clone._fetch
    monkeypatch.setattr(_clone, "_fetch", lambda *arguments: (fetched.append(1), fetch(*arguments)))
    threads = [threading.Thread(target=lambda: found.append(clone(source))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert len(found) == 4


def test_a_cache_that_cannot_be_written(repository, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("IISZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(UpstreamError, match="IISZOO_CACHE"):
        clone(repository(FILES))
