"""Drives the gcp plugin as the engine would: check, diff, then create, update or replace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.gcp.plugin import GcpProvider
from sandbox.plugins.provider import DiffResult
from sandbox.plugins.values import decode, encode, reveal

PROJECT = "acme-ml-dev"
REGION = "europe-west4"
ZONE = "europe-west4-a"
SEED = bytes(range(32))


def urn_of(token: str, name: str) -> str:
    return f"urn:pulumi:dev::gke-test::{token}::{name}"


@dataclass
class Resource:
    """One resource of a state, as the engine would remember it."""

    token: str
    name: str
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def urn(self) -> str:
        return urn_of(self.token, self.name)

    @property
    def plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = reveal(self.outputs)
        return plain


def wire(values: dict[str, Any]) -> dict[str, Any]:
    """As the values look after they went over the wire and through the state."""
    return decode(encode(values))


class Engine:
    """The part of the engine's work that a provider sees."""

    def __init__(self, **settings: Any) -> None:
        self.provider = GcpProvider()
        given = {"project": PROJECT, "region": REGION, "zone": ZONE, **settings}
        self.provider.configure(given)

    def close(self) -> None:
        """As at the end of the plugin's life."""
        if self.provider._client is not None:
            self.provider._client.close()

    def check(self, token: str, name: str, news: dict[str, Any], olds: Any = None) -> Any:
        return self.provider.check(
            type=token, urn=urn_of(token, name), olds=olds or {}, news=wire(news), random_seed=SEED
        )

    def diff(self, resource: Resource, news: dict[str, Any]) -> DiffResult:
        checked = self._checked(resource.token, resource.name, news, resource.inputs)
        return self.diff_checked(resource, checked)

    def diff_checked(self, resource: Resource, checked: dict[str, Any]) -> DiffResult:
        return self.provider.diff(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            old_inputs=resource.inputs,
            old_outputs=resource.outputs,
            new_inputs=checked,
            ignore_changes=(),
        )

    def preview(self, token: str, name: str, news: dict[str, Any]) -> dict[str, Any]:
        checked = self._checked(token, name, news, {})
        return self.provider.create(
            type=token, urn=urn_of(token, name), inputs=checked, timeout=0, preview=True
        )[1]

    def create(self, token: str, name: str, /, **news: Any) -> Resource:
        checked = self._checked(token, name, news, {})
        id_, outputs = self.provider.create(
            type=token, urn=urn_of(token, name), inputs=checked, timeout=0, preview=False
        )
        return Resource(token, name, id_, checked, wire(outputs))

    def update(self, resource: Resource, /, **news: Any) -> DiffResult:
        """An `up` of one resource: nothing, an update, or a replacement."""
        checked = self._checked(resource.token, resource.name, news, resource.inputs)
        result = self.diff_checked(resource, checked)
        if result.replaces:
            if result.delete_before_replace:
                self.delete(resource)
            made = self.create(resource.token, resource.name, **news)
            if not result.delete_before_replace:
                self.delete(resource)
            resource.id, resource.inputs, resource.outputs = made.id, made.inputs, made.outputs
        elif result.changes:
            resource.outputs = wire(
                self.provider.update(
                    type=resource.token,
                    urn=resource.urn,
                    id=resource.id,
                    old_inputs=resource.inputs,
                    old_outputs=resource.outputs,
                    new_inputs=checked,
                    timeout=0,
                    preview=False,
                    ignore_changes=(),
                )
            )
            resource.inputs = checked
        return result

    def refresh(self, resource: Resource) -> bool:
        """Whether it is still there; its inputs and outputs are then as read."""
        found = self.provider.read(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            inputs=resource.inputs,
            outputs=resource.outputs,
        )
        if found is None:
            return False
        resource.id, inputs, outputs = found
        resource.inputs, resource.outputs = wire(inputs), wire(outputs)
        return True

    def adopt(self, token: str, name: str, id_: str) -> Resource | None:
        """An import."""
        found = self.provider.read(
            type=token, urn=urn_of(token, name), id=id_, inputs={}, outputs={}
        )
        if found is None:
            return None
        return Resource(token, name, found[0], wire(found[1]), wire(found[2]))

    def delete(self, resource: Resource) -> None:
        self.provider.delete(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            inputs=resource.inputs,
            outputs=resource.outputs,
            timeout=0,
        )

    def _checked(self, token: str, name: str, news: Any, olds: Any) -> dict[str, Any]:
        result = self.check(token, name, news, olds)
        assert not result.failures, result.failures
        return wire(result.inputs)
