"""Drives the kubernetes plugin as the engine would: check, diff, then create, update or replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.kubernetes.plugin import KubernetesProvider
from sandbox.plugins.provider import CheckResult, DiffResult
from sandbox.plugins.values import decode, encode, reveal

Json = dict[str, Any]


def wire(values: Json) -> Json:
    """As the values look after they went over the wire and through the state."""
    return decode(encode(values))


def urn_of(token: str, name: str) -> str:
    return f"urn:pulumi:dev::gke-test::{token}::{name}"


def token_of(api_version: str, kind: str) -> str:
    return f"kubernetes:{'core/' if '/' not in api_version else ''}{api_version}:{kind}"


@dataclass
class Resource:
    """One resource of a state, as the engine would remember it."""

    token: str
    name: str
    id: str = ""
    inputs: Json = field(default_factory=dict)
    outputs: Json = field(default_factory=dict)

    @property
    def urn(self) -> str:
        return urn_of(self.token, self.name)

    @property
    def plain(self) -> Json:
        plain: Json = reveal(self.outputs)
        return plain


class Engine:
    """The part of the engine's work that a provider sees."""

    def __init__(self, kubeconfig: Any, **settings: Any) -> None:
        self.provider = KubernetesProvider()
        self.said: list[str] = []
        self.provider._log = lambda urn, text, severity, status: self.said.append(text)
        self.provider.configure({"kubeconfig": kubeconfig, **settings})

    def close(self) -> None:
        """Let go of the connections."""
        self.provider.close()

    def check(self, token: str, name: str, news: Json, olds: Json | None = None) -> CheckResult:
        return self.provider.check(
            type=token, urn=urn_of(token, name), olds=olds or {}, news=wire(news), random_seed=b""
        )

    def checked(self, token: str, name: str, news: Json, olds: Json | None = None) -> Json:
        result = self.check(token, name, news, olds)
        assert not result.failures
        return wire(result.inputs)

    def preview(self, token: str, name: str, news: Json) -> Json:
        """The outputs of a create, previewed."""
        inputs = self.checked(token, name, news)
        made, outputs = self.provider.create(
            type=token, urn=urn_of(token, name), inputs=inputs, timeout=0, preview=True
        )
        assert made == ""
        return wire(outputs)

    def create(self, token: str, name: str, news: Json, timeout: float = 30) -> Resource:
        inputs = self.checked(token, name, news)
        made, outputs = self.provider.create(
            type=token, urn=urn_of(token, name), inputs=inputs, timeout=timeout, preview=False
        )
        return Resource(token, name, made, inputs, wire(outputs))

    def diff(self, resource: Resource, news: Json, ignored: Sequence[str] = ()) -> DiffResult:
        return self.provider.diff(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            old_inputs=resource.inputs,
            old_outputs=resource.outputs,
            new_inputs=self.checked(resource.token, resource.name, news, resource.inputs),
            ignore_changes=ignored,
        )

    def update(
        self,
        resource: Resource,
        news: Json,
        *,
        preview: bool = False,
        ignored: Sequence[str] = (),
        timeout: float = 30,
    ) -> Resource:
        inputs = self.checked(resource.token, resource.name, news, resource.inputs)
        outputs = self.provider.update(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            old_inputs=resource.inputs,
            old_outputs=resource.outputs,
            new_inputs=inputs,
            timeout=timeout,
            preview=preview,
            ignore_changes=ignored,
        )
        return Resource(resource.token, resource.name, resource.id, inputs, wire(outputs))

    def refresh(self, resource: Resource) -> Resource | None:
        found = self.provider.read(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            inputs=resource.inputs,
            outputs=resource.outputs,
        )
        if found is None:
            return None
        return Resource(resource.token, resource.name, found[0], wire(found[1]), wire(found[2]))

    def imported(self, token: str, name: str, id: str) -> Resource | None:
        return self.refresh(Resource(token, name, id))

    def delete(self, resource: Resource, timeout: float = 30) -> None:
        self.provider.delete(
            type=resource.token,
            urn=resource.urn,
            id=resource.id,
            inputs=resource.inputs,
            outputs=resource.outputs,
            timeout=timeout,
        )
