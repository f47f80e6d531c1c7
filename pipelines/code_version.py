"""The version of a piece of code: a hash of its module and of every module of ours it imports."""

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

OURS = ("metrics", "outputs", "pipelines", "schemas", "sources")


@cache
def _file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements, of functions, classes and branches too; an import is no part of an expression."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, None)
            if isinstance(inner, list):
                left += inner


@cache
def _imports(module: str) -> frozenset[str]:
    file = _file(module)
    if file is None:
        return frozenset()
    found: set[str] = set()
    for node in _statements(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in found if name.split(".")[0] in OURS and _file(name) is not None)


@cache
def closure(module: str) -> tuple[str, ...]:
    """The module and all modules of ours that it needs, sorted."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += _imports(name)
    return tuple(sorted(seen))


@cache
def _content(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()


@cache
def _lists(package: str) -> tuple[Path, ...]:
    """Lists that are part of a package (geographies, price indices, withheld figures)."""
    top = _file(package)
    return tuple(sorted(top.parent.rglob("*.csv"))) if top is not None else ()


@cache
def code_version(module: str) -> str:
    """12 hexadecimal digits that change when the module or anything of ours it imports changes.

    The registries that find modules by scanning are no dependency of what they find. Lists that are part of a package
    count like its code.
    """
    digest = hashlib.sha256()
    for name in closure(module):
        file = _file(name)
        if file is not None:
            digest.update(name.encode() + b"\0" + _content(file))
    for package in sorted({name.split(".")[0] for name in closure(module)}):
        for data in _lists(package):
            digest.update(data.name.encode() + b"\0" + _content(data))
    return digest.hexdigest()[:12]


def module_of(function: Callable[..., Any]) -> str:
    """The module a function is defined in, also behind `functools.partial`."""
    return str(getattr(function, "func", function).__module__)
