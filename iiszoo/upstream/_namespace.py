"""Importing a clone under a private name, several times and beside any number of others.

A clone's modules are called `_iiszoo_upstream.<repository>_<commit8>.<their own name>`, in `sys.modules` and in the
`__module__` of their classes. Inside the clone, `import isegm.model`, and any other use of a module's own name, means
the private module.

For that, each module has its own `__builtins__` with iiszoo's `__import__`; Python looks there for every import
statement of the module, also within functions and `exec`, and for calls of `__import__`. Rewriting the import
statements in the source would miss names that are known only at run time (`isegm` itself reads class names from
checkpoints and imports their modules), and tracebacks would show other code than the files on disk. Relative imports
need nothing: Python resolves them from the private name.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from iiszoo.cards import Source
from iiszoo.errors import UpstreamError, with_place
from iiszoo.upstream import _shims
from iiszoo.upstream._clone import clone, repository_name
from iiszoo.upstream._quiet import quiet

PRIVATE = "_iiszoo_upstream"
"""The package, without a file, that contains all clones."""

_lock = threading.RLock()
_namespaces: dict[str, Namespace] = {}


def load(source: Source) -> Namespace:
    """The namespace of a commit's code, cloned first if the cache lacks it; the same object at each call.

    Nothing of the clone is imported yet. Raises `UpstreamError` as `clone` does.
    """
    root = clone(source)
    with _lock:
        for namespace in _namespaces.values():
            if namespace.root == root:
                return namespace
        return Namespace(private_name(source), root, source)


def private_name(source: Source) -> str:
    """`_iiszoo_upstream.<repository>_<first 8 digits of the commit>`."""
    return f"{PRIVATE}.{repository_name(source)}_{source.commit[:8]}"


class Namespace:
    """The modules of one clone.

    `name` is the private package that contains them, `root` the directory of the clone, `shims_used` the names it was
    given so far because the installed libraries no longer have them (`iiszoo.upstream._shims`).
    """

    def __init__(self, name: str, root: Path, source: Source) -> None:
        with _lock:
            while name in _namespaces:  # another directory of that commit, or another commit with these eight digits
                name += "_"
            _namespaces[name] = self
        self.name, self.root, self.source = name, root, source
        self.shims_used: set[str] = set()
        self.builtins = {**vars(builtins), "__import__": self._import}
        util = _shims.Proxy(importlib.util, {"spec_from_file_location": self._file_spec}, set())
        self._proxies: dict[str, ModuleType] = {
            "sys": _shims.Proxy(sys, {"path": [str(root), *sys.path]}, set()),
            "importlib": _shims.Proxy(importlib, {"import_module": self._import_module, "util": util}, set()),
            "importlib.util": util,
        }
        package = ModuleType(name, f"{source.repo} at {source.commit}")
        package.__path__ = [str(root)]
        _add_private_package()
        sys.modules[name] = package
        setattr(sys.modules[PRIVATE], name.rpartition(".")[2], package)

    def import_module(self, name: str) -> ModuleType:
        """A module of the clone by its own name, such as `isegm.inference.clicker`.

        Raises `UpstreamError` if it cannot be imported: it is absent, or needs a package that is not installed.
        """
        try:
            with quiet():
                return importlib.import_module(f"{self.name}.{name}")
        except ModuleNotFoundError as error:
            missing = error.name or "?"
            if missing.startswith(f"{self.name}."):
                raise UpstreamError(f"{self} has no module {missing[len(self.name) + 1 :]}") from error
            raise UpstreamError(
                f"{name} of {self} cannot be imported: it needs the module {missing}, which is not installed; "
                f"`pip install` the package that provides it"
            ) from error
        except (Exception, SystemExit) as error:  # the clone's code may raise anything
            raise UpstreamError(f"{name} of {self} cannot be imported: {with_place(error)}") from error

    def search_path(self) -> list[str]:
        """The directories searched for the clone's modules: its root, and those of its own that its code added to
        `sys.path`.

        The clone sees its own `sys.path`, so what it adds there does not affect other code.
        """
        inside = [path for path in self._proxies["sys"].path if Path(path).is_relative_to(self.root)]
        return list(dict.fromkeys([str(self.root), *inside]))

    def owns(self, top: str) -> bool:
        """Whether `import top` in the clone means the clone's own module or package on its search path.

        As in Python a plain directory is a package too, if it contains Python files and the standard library has no
        such name. An installed package of the same name does not count: the clone comes first.
        """
        for directory in map(Path, self.search_path()):
            if (directory / f"{top}.py").is_file() or (directory / top / "__init__.py").is_file():
                return True
            if top not in sys.stdlib_module_names and (directory / top).is_dir():
                return any((directory / top).rglob("*.py"))
        return False

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """`__import__` as the clone's modules see it; arguments and result are those of the builtin one."""
        if level:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        top = name.partition(".")[0]
        if self.owns(top):
            found = builtins.__import__(f"{self.name}.{name}", globals, locals, fromlist or ("__name__",))
            return found if fromlist else sys.modules[f"{self.name}.{top}"]
        try:
            found = builtins.__import__(name, globals, locals, fromlist or ())
        except ModuleNotFoundError as error:
            stand_in = _shims.stand_in(name, error.name or "", bool(fromlist), self.shims_used)
            if stand_in is None:
                raise
            return stand_in
        return self._seen(found)

    def _seen(self, module: ModuleType) -> ModuleType:
        """A library's module as the clone sees it."""
        name = getattr(module, "__name__", "")
        if name not in self._proxies and (proxy := _shims.seen(module, self.shims_used)) is not module:
            self._proxies[name] = proxy
        return self._proxies.get(name, module)

    def _import_module(self, name: str, package: str | None = None) -> Any:
        """`importlib.import_module` as the clone's modules see it."""
        return self._import(importlib.util.resolve_name(name, package), fromlist=("__name__",))

    def _file_spec(self, name: str, location: Any = None, **options: Any) -> ModuleSpec | None:
        """`importlib.util.spec_from_file_location`: a file of the clone is run like the clone's modules."""
        if location is not None and Path(location).is_relative_to(self.root) and str(location).endswith(".py"):
            options.setdefault("loader", Loader(name, str(location), self))
        return importlib.util.spec_from_file_location(name, location, **options)

    def __str__(self) -> str:
        return f"{self.source.repo} at {self.source.commit[:8]}"


class Loader(SourceFileLoader):
    """Runs a file of a clone with the builtins of its namespace, and writes no compiled files into the clone."""

    def __init__(self, name: str, path: str, namespace: Namespace) -> None:
        super().__init__(name, path)
        self.namespace = namespace

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self.namespace.builtins
        with _shims.importing(), quiet():
            super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds the modules of all clones, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{PRIVATE}."):
            return None
        parts = fullname.split(".")
        namespace = _namespaces.get(".".join(parts[:2]))
        if namespace is None:
            return None
        spec = PathFinder.find_spec(fullname, namespace.search_path() if len(parts) == 3 else path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(fullname, spec.loader.path, namespace)
            spec.cached = None
        return spec


def _add_private_package() -> None:
    """Add the package that contains all clones, and the finder of its modules."""
    with _lock:
        if PRIVATE not in sys.modules:
            package = ModuleType(PRIVATE, "Code cloned by iiszoo.upstream, one package per repository and commit.")
            package.__path__ = []
            sys.modules[PRIVATE] = package
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())
