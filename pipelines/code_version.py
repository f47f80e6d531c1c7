"""The version of a piece of code: a hash of its module and of every module of ours it imports."""

import ast
import hashlib
import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

OURS = ("metrics", "outputs", "pipelines", "schemas", "sources")


def _file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _imports(module: str) -> frozenset[str]:
    file = _file(module)
    if file is None:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
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
def code_version(module: str) -> str:
    """12 hexadecimal digits that change when the module or anything of ours it imports changes.

    The registries that find modules by scanning are no dependency of what they find.
    """
    digest = hashlib.sha256()
    for name in closure(module):
        file = _file(name)
        if file is not None:
            digest.update(name.encode() + b"\0" + file.read_bytes())
    # Lists that are part of the project (geographies, price indices, withheld figures) count like code.
    for package in sorted({name.split(".")[0] for name in closure(module)}):
        top = _file(package)
        for data in sorted(top.parent.rglob("*.csv")) if top is not None else []:
            digest.update(data.name.encode() + b"\0" + data.read_bytes())
    return digest.hexdigest()[:12]


def module_of(function: Callable[..., Any]) -> str:
    """The module a function is defined in, also behind `functools.partial`."""
    return str(getattr(function, "func", function).__module__)
