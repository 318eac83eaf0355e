"""Small packages and a hub on loopback that carry files as the real ones do."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def wheel(folder: Path, name: str, members: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A wheel that pip finds in ``folder``; importing it would be noticed."""
    module = name.replace("-", "_")
    path = folder / f"{module}-{version}-py3-none-any.whl"
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/__init__.py", "raise SystemExit('a carrier was imported')")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def tarball(name: str, members: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """A package of npm, version 1.0.0; its scripts would be noticed."""
    script = {"prepack": "exit 1", "prepare": "exit 1", "postinstall": "exit 1"}
    manifest = {"name": name, "version": "1.0.0", "scripts": script}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, data in {"package.json": json.dumps(manifest).encode(), **members}.items():
            info = tarfile.TarInfo(f"package/{member}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for member, target in links.items():
            info = tarfile.TarInfo(f"package/{member}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


@dataclass
class Hub:
    """A server on loopback that knows Range; ``address`` is its root."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path, such as ``/a.bin``."""
    breaks_off_after: int | None = None
    """Bytes of a body after which the next answer ends too early, once."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of each request."""
    on_request: Callable[[], object] = lambda: None
    address: str = ""

    def add_npm_package(
        self, name: str, members: Mapping[str, bytes], links: Mapping[str, str]
    ) -> None:
        """Be a registry of npm that has this package."""
        archive = tarball(name, members, links)
        path = f"/{name}/-/{name}-1.0.0.tgz"
        dist = {
            "tarball": self.address + path,
            "shasum": hashlib.sha1(archive, usedforsecurity=False).hexdigest(),
        }
        version = {"name": name, "version": "1.0.0", "dist": dist}
        packument = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        self.files |= {path: archive, f"/{name}": json.dumps(packument).encode()}


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers until the end of the block."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            hub.asked.append((self.path, asked))
            hub.on_request()
            data = hub.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if begin >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            end, hub.breaks_off_after = hub.breaks_off_after, None
            self.wfile.write(data[begin:] if end is None else data[begin:end])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
