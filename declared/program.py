"""Runs one program to its end against the mocks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import mocks, settings
from pulumi.runtime.stack import Stack, run_in_stack

from declared.cloud import CloudMocks
from declared.result import Declared


class _Monitor(mocks.MockMonitor):
    """A mock monitor that also records resource options, which `Mocks` does not receive."""

    def __init__(self, cloud: CloudMocks) -> None:
        super().__init__(cloud)
        self._declared = cloud.declared

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the engine's name for it)
        if request.protect:
            self._declared.protected.add((request.type, request.name))
        if request.retainOnDelete:
            self._declared.retained.add((request.type, request.name))
        self._declared.dependencies[request.type, request.name] = {
            (urn.split("::")[2].rpartition("$")[2], urn.split("::")[3])
            for urn in request.dependencies
        }
        if hooks := {field.name: list(names) for field, names in request.hooks.ListFields()}:
            self._declared.hooks[request.type, request.name] = hooks
        self._declared.ignored[request.type, request.name] = list(request.ignoreChanges)
        if request.deleteBeforeReplaceDefined:
            order = request.deleteBeforeReplace
            self._declared.deleted_first[request.type, request.name] = order
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # the SDK's


def declare(
    program: Callable[[], Any],
    *,
    project: str = "gke-test",
    stack: str = "dev",
    config: Mapping[str, str] | None = None,
    upstream: Mapping[str, dict[str, Any]] | None = None,
    preview: bool = False,
    into: Declared | None = None,
) -> Declared:
    """Run `program` to its end and return what it declared.

    Its exceptions propagate. `into` collects what was declared before one was raised.
    """
    declared = Declared() if into is None else into
    cloud = CloudMocks(declared, upstream or {})
    if config and "gcp:project" in config:
        cloud.project = config["gcp:project"]
    gateway = json.loads((config or {}).get("gke-serving:inference_gateway", "{}"))
    cloud.certificates = gateway.get("certificates", ())

    def main() -> None:
        program()

    loops: list[asyncio.AbstractEventLoop] = []

    def begin_thread() -> None:
        # The mocks would create a loop in each thread and never close it.
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(max_workers=4, initializer=begin_thread)
        )
        # Inside the running loop, because the mocks' stack resource starts its tasks here.
        mocks.set_mocks(
            cloud,
            project=project,
            stack=stack,
            preview=preview,
            organization="organization",
            monitor=_Monitor(cloud),
        )
        # The mocks bring a finished stack resource; the run creates its own.
        settings.set_root_resource(None)  # type: ignore[arg-type]  # as it is before any run
        pulumi_config.set_all_config(dict(config or {}), [])
        await run_in_stack(main)
        root = settings.get_root_resource()
        for name, value in root.outputs.items() if isinstance(root, Stack) else ():
            output = pulumi.Output.from_input(value)
            declared.outputs[name] = await output.future()
            if await output.is_secret():
                declared.secret_outputs.add(name)

    try:
        asyncio.run(run())
    finally:
        for loop in loops:
            loop.close()
    return declared
