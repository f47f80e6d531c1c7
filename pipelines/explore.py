"""Serving the explorer of a release on loopback: plain files, no logic."""

from __future__ import annotations

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from upath import UPath

from outputs.deliver import latest_release
from outputs.explorer import EXPLORER
from schemas.errors import MobilityError

LOOPBACK: Final = "127.0.0.1"


class NoExplorerError(MobilityError):
    """There is no explorer to open."""


class _Handler(SimpleHTTPRequestHandler):
    """Files with the types browsers insist on, whatever the machine's own table says; nothing is logged or cached."""

    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".json": "application/json",
        ".csv": "text/csv; charset=utf-8",
        ".svg": "image/svg+xml",
        ".woff2": "font/woff2",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not worth a line each."""


def explorer_of(root: Path | UPath, release: str | None) -> Path:
    """The explorer's folder of a release: the name of one under `root`, a folder, or (None) the latest.

    Raises `NoExplorerError` if there is none, or if it is not on this machine.
    """
    if release is not None and (Path(release) / EXPLORER / "index.html").exists():
        return Path(release) / EXPLORER
    if isinstance(root, UPath) and root.protocol not in ("", "file", "local"):
        raise NoExplorerError(
            f"{root} is not a folder of this machine: copy the release's {EXPLORER} folder, or let any web server "
            "serve it."
        )
    folder = Path(str(root))
    name = release or latest_release(folder)
    if name is None:
        raise NoExplorerError("there is no release yet; run `mobility build --profile sample` first.")
    found = folder / name / EXPLORER
    if not (folder / name).is_dir():
        raise NoExplorerError(f"there is no release {name} in {folder}.")
    if not (found / "index.html").exists():
        raise NoExplorerError(f"the release {name} was made without an explorer; publish it again.")
    return found


def server_for(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the folder on loopback; port 0 takes any that is free. `NoExplorerError` if the port is taken."""
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        return ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise NoExplorerError(f"port {port} cannot be used ({error.strerror}); choose another with --port.") from error
