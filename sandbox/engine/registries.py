"""Programs out of container images, over the OCI distribution API.

An image is named by tag or digest. The manifest that a digest names, and every layer, must have the
digest; what a tag names is what the registry says (over TLS): no digests of these images are known
here. It reads public images only.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from sandbox.engine import archives
from sandbox.engine.releases import Image
from sandbox.engine.transfer import MAXIMUM_FILE, Session, TransferError, shown

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = ", ".join((*_INDEXES, *_MANIFESTS))
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
Json = dict[str, Any]


def take(session: Session, image: Image, target: Path) -> None:
    """Write an image's file to `target`. Raises TransferError."""
    reader = _Reader(session, image.repository)
    manifest = reader.manifest(image.reference)
    if "manifests" in manifest:
        manifest = reader.manifest(_of_platform(manifest, image))
    # The image's own program is in one of the last layers; what the layers before hold is the
    # system below it.
    for layer in reversed(_layers(manifest, image)):
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".layer-") as blob:
            archive = Path(blob.name)
            reader.blob(layer, archive)
            if archives.take_from_tar(archive, image.member, target):
                return
    raise TransferError(f"{shown(image.repository)} has no file {image.member}")


def _of_platform(index: Json, image: Image) -> str:
    for entry in _listed(index, "manifests", image.repository):
        platform = entry.get("platform") or {}
        if (platform.get("os"), platform.get("architecture")) == ("linux", image.architecture):
            return _digest(entry, image.repository)
    raise TransferError(f"{shown(image.repository)} has no image for linux/{image.architecture}")


def _layers(manifest: Json, image: Image) -> list[Json]:
    return _listed(manifest, "layers", image.repository)


def _listed(document: Json, key: str, repository: str) -> list[Json]:
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TransferError(f"{shown(repository)} answers with a manifest without {key}")
    return found


def _digest(descriptor: Json, repository: str) -> str:
    digest = str(descriptor.get("digest"))
    if not _DIGEST.fullmatch(digest):
        raise TransferError(f"{shown(repository)} names a part without a sha256 digest")
    return digest


class _Reader:
    """Reads one repository; it gets a token when the registry asks for one."""

    def __init__(self, session: Session, repository: str) -> None:
        self._session = session
        self._repository = repository
        self._token: str | None = None

    def manifest(self, reference: str) -> Json:
        url = f"{self._repository}/manifests/{reference}"
        answer = self._session.answer(url, self._headers())
        if answer.status_code == 401 and self._token is None:
            self._token = self._new_token(answer)
            answer = self._session.answer(url, self._headers())
        if answer.status_code != 200:
            raise TransferError(f"{shown(url)} answers {answer.status_code}")
        wanted = _DIGEST.fullmatch(reference)
        if wanted and hashlib.sha256(answer.content).hexdigest() != wanted.group(1):
            raise TransferError(f"{shown(url)} has another digest than its name")
        try:
            found = json.loads(answer.content)
        except ValueError as error:
            raise TransferError(f"{shown(url)} is no JSON") from error
        if not isinstance(found, dict):
            raise TransferError(f"{shown(url)} is no manifest")
        return found

    def blob(self, layer: Json, target: Path) -> None:
        digest = _digest(layer, self._repository)
        size = layer.get("size")
        self._session.file(
            f"{self._repository}/blobs/{digest}",
            target,
            sha256=digest.removeprefix("sha256:"),
            maximum=min(size, MAXIMUM_FILE) if isinstance(size, int) else MAXIMUM_FILE,
            # The client leaves it out when it follows a redirect to another host.
            headers=self._headers(),
        )

    def _headers(self) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return {"Accept": _ACCEPT, **own}

    def _new_token(self, answer: httpx.Response) -> str:
        asked = answer.headers.get("WWW-Authenticate", "")
        values = dict(re.findall(r'(\w+)="([^"]*)"', asked))
        realm = values.pop("realm", "")
        plain = urlsplit(self._repository).scheme == "http"
        if not asked.lower().startswith("bearer ") or not realm.startswith(
            ("https://", "http://") if plain else "https://"
        ):
            raise TransferError(f"{shown(self._repository)} asks for another login than a token")
        query = urlencode({k: v for k, v in values.items() if k in ("service", "scope")})
        text = self._session.text(f"{realm}?{query}")
        try:
            found = json.loads(text)
            token = found.get("token") or found.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str):
            raise TransferError(f"{shown(realm)} gives no token")
        return token
