"""Server-side apply of one resource: field manager, conflicts and error messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.kubernetes import conflicts, names, shape
from sandbox.plugins.kubernetes.client import ApiError, Client, NoSuchKindError
from sandbox.plugins.kubernetes.ownership import shaped
from sandbox.plugins.kubernetes.paths import parsed, removed
from sandbox.plugins.kubernetes.waiting import Wait
from sandbox.plugins.provider import PluginError, Properties, reveal

Json = dict[str, Any]
_FORCE = "pulumi.com/patchForce"
_MANAGER = "pulumi.com/patchFieldManager"
# How long a new kind or namespace may still be missing from the API server's caches.
_SECONDS_TO_APPEAR = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Applies one resource's inputs."""

    client: Client
    urn: str
    known_manager: Any
    """The field manager recorded in the state, or None."""
    force: bool
    log: Callable[..., None]
    cancelled: threading.Event

    def manager(self, plain: Json) -> str:
        """The field manager to apply as."""
        return names.manager(self.urn, self.known_manager, _annotations(plain).get(_MANAGER))

    def apply(
        self, inputs: Properties, *, before: Properties | None = None,
        ignored: Sequence[str] = (), id: str = "", dry_run: bool = False, forced: bool = False,
    ) -> Json:  # fmt: skip
        """Apply the inputs and return the resulting object. Raises ApiError with a readable reason.

        `before` are the inputs that were applied last: fields of these that another manager has
        changed since are taken back.
        """
        body = {key: value for key, value in reveal(inputs).items() if key != "status"}
        try:
            resource = self._resource(body, dry_run=dry_run)
            metadata = dict(body["metadata"])
            if id and not metadata.get("name"):
                metadata["name"] = id.rpartition("/")[2]
            body["metadata"] = metadata
            path = resource.path(metadata.get("namespace"), metadata.get("name", ""))
            if not metadata.get("name"):
                return self._made(path, body, dry_run=dry_run)
            if ignored:
                body = self._without(body, ignored, self.client.get(path))
            force = self.force or forced or _annotations(body).get(_FORCE) == "true"
            return self._applied(path, body, reveal(before or {}), force=force, dry_run=dry_run)
        except ApiError as error:
            raise self.explained(error, inputs) from None

    def check_absent(self, inputs: Properties, seconds: float) -> None:
        """Raise PluginError if an object of this name exists that belongs to another resource.

        One whose create was interrupted is, and is completed. One that is on its way out is
        waited for.
        """
        plain = reveal(inputs)
        metadata = plain.get("metadata") or {}
        if not metadata.get("name"):
            return
        resource = self._resource(plain, dry_run=False)
        path = resource.path(metadata.get("namespace"), metadata["name"])
        try:
            live = self.client.get(path)
        except ApiError as error:
            raise self.explained(error, inputs) from None
        if live is None:
            return
        if live["metadata"].get("deletionTimestamp"):
            wait = Wait(self.client, path, self.cancelled, seconds, self._say)
            try:
                wait.until_gone(live["metadata"]["uid"])
            except PluginError as error:
                message = f"{names.spoken(self.urn)}: its predecessor of the same name is {error}"
                raise PluginError(message) from None
        elif not names.manages(live, self.manager(plain)):
            made, token = names.id_of(live), self.urn.split("::")[2].rpartition("$")[2]
            name = names.logical(self.urn)
            raise PluginError(
                f"{names.spoken(self.urn)}: {live['kind']} {made} exists already and is not this "
                f"resource's; take it over with `pulumi import {token} {name} {made}`, give it "
                "another name, or set the provider's upsertExistingObjects"
            )

    def release(self, path: str, plain: Json) -> None:
        """Release a patch's fields by applying none."""
        metadata = plain.get("metadata") or {}
        nothing = {
            "apiVersion": plain["apiVersion"],
            "kind": plain["kind"],
            "metadata": {k: metadata[k] for k in ("name", "namespace") if k in metadata},
        }
        if self.client.get(path) is not None:
            self.client.apply(path, nothing, manager=self.manager(plain), force=True)

    def explained(self, error: ApiError, inputs: Any) -> ApiError:
        """The error with the resource's name and a remedy, secrets removed."""
        found = conflicts.of(error)
        message = conflicts.advice(found) if found else shape.masked(str(error), inputs)
        status = {**error.status, "message": f"{names.spoken(self.urn)}: {message}"}
        return ApiError(error.code, status)

    def _applied(
        self, path: str, body: Json, before: Json, *, force: bool, dry_run: bool
    ) -> Json:  # fmt: skip
        manager, begun = self.manager(body), time.monotonic()
        while True:
            try:
                return self.client.apply(
                    path, body, manager=manager, force=force, dry_run=dry_run, warn=self._warn
                )
            except ApiError as error:
                found = conflicts.of(error)
                if not force and conflicts.are_ours(found, before):
                    if not dry_run:
                        taken = ", ".join(f"{c.field} from {c.owner}" for c in found)
                        self.log(self.urn, f"takes back {taken}", "info")
                    force = True
                    continue
                # The API server's cache may not hold a new namespace yet.
                is_homeless = error.code == 404 and error.details.get("kind") == "namespaces"
                is_early = time.monotonic() - begun < _SECONDS_TO_APPEAR
                if dry_run or not is_homeless or not is_early or self.cancelled.wait(0.3):
                    raise

    def _made(self, path: str, body: Json, *, dry_run: bool) -> Json:
        """Create an object named by `generateName`, which server-side apply does not support."""
        query = {"fieldManager": self.manager(body), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self.client.request("POST", path, body, query=query, warn=self._warn)

    def _resource(self, body: Json, *, dry_run: bool) -> Any:
        begun = time.monotonic()
        while True:
            try:
                return self.client.resource(body["apiVersion"], body["kind"])
            except NoSuchKindError as error:
                is_late = time.monotonic() - begun > _SECONDS_TO_APPEAR
                if dry_run or is_late or self.cancelled.wait(0.5):
                    raise NoSuchKindError(f"{names.spoken(self.urn)}: {error}") from None

    @staticmethod
    def _without(body: Json, ignored: Sequence[str], live: Json | None) -> Json:
        """The body without ignored fields that another manager has set to a different value.

        Those that are as we apply them stay: leaving them out would let go of them.
        """
        for text in ignored:
            path = parsed(text)
            if live is not None and _differ(body, live, path):
                body = removed(body, path)
        return body

    def _warn(self, text: str) -> None:
        self.log(self.urn, text, "warning")

    def _say(self, text: str) -> None:
        self.log(self.urn, text and f"waiting: {text}", status=True)


def _differ(ours: Any, theirs: Any, path: Sequence[str | int]) -> bool:
    """Whether both have a value at the path and the values differ."""
    for key in path:
        try:
            ours, theirs = ours[key], theirs[key]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(shaped(theirs, ours) != ours)


def _annotations(plain: Json) -> Json:
    return (plain.get("metadata") or {}).get("annotations") or {}
