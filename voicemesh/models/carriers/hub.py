"""Files from a hub's address, which go on where a download stopped."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from voicemesh import __version__
from voicemesh.errors import Unavailable
from voicemesh.models.catalogue import Carrier
from voicemesh.models.progress import Progress

_CHUNK = 1 << 18
_SILENCE_S = 20.0
"""A server that sends nothing for so long is given up."""


def download(carrier: Carrier, member: str, target: Path, most: int, progress: Progress) -> None:
    """Download ``member``, of at most ``most`` bytes, as the file ``target``.

    What has come lies beside it and is gone on with by the next call, where the server
    knows Range. Unavailable where it cannot be had.
    """
    address = carrier.address.rstrip("/") + "/" + quote(member)
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        address,
        headers={"User-Agent": f"voicemesh/{__version__}", "Accept-Encoding": "identity"},
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not have:  # 416: nothing is left to be sent.
            raise Unavailable(f"{address}: the server says {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"{urlsplit(address).netloc}: {reason}") from None
    else:
        goes_on = response.status == 206
        with response, part.open("ab" if goes_on else "wb") as file:
            _copy(response, file, have if goes_on else 0, most, progress)
    part.replace(target)


def _copy(
    response: http.client.HTTPResponse, file: BinaryIO, begin: int, most: int, progress: Progress
) -> None:
    length = response.length
    came = 0
    while chunk := _read(response):
        came += len(chunk)
        if begin + came > most:
            raise Unavailable(f"{response.url} is longer than the catalogue's {most} bytes")
        file.write(chunk)
        progress.reached(begin + came)
    if length is not None and came < length:
        raise Unavailable(f"{response.url} broke off after {begin + came} bytes")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{response.url} broke off: {error}") from None
