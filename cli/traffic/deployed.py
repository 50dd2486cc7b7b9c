"""What is deployed of an environment, in the sandbox or in the account: its models' URLs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.environments import ROOT
from cli.errors import CliError, Exit
from gkeplatform.layers import ENVIRONMENT
from sandbox import lifecycle


@dataclass(frozen=True, slots=True)
class Deployed:
    """The outputs of the environment layer that callers need."""

    address: str
    """Of the HTTP load balancer."""
    urls: Mapping[str, str]
    """By model."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Of the front ends that are not the HTTP load balancer, by model, where a layer said it."""


def read(environment: str, variables: Mapping[str, str], *, rehearsed: bool) -> Deployed:
    """The outputs of an environment's last layer. Raises CliError where it is not deployed."""
    pulumi = shutil.which("pulumi", path=variables.get("PATH"))
    if pulumi is None:
        raise CliError(
            "`pulumi` is not on the PATH", "install it: https://www.pulumi.com/docs/install/"
        )
    folder = ROOT / ENVIRONMENT.directory
    command = ["stack", "output", "--json", "--stack", environment]
    done = subprocess.run(
        [pulumi, *command],
        cwd=folder,
        env=dict(variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    how = f"./platformctl {'rehearse' if rehearsed else 'up'} {environment}"
    if done.returncode and "no stack named" not in done.stderr:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise CliError(f"`pulumi {' '.join(command)}`: {lines[-1].removeprefix('error: ')}")
    outputs = json.loads(done.stdout) if not done.returncode else {}
    if not outputs.get("models"):
        where = "rehearsed" if rehearsed else "deployed"
        raise CliError(f"{environment} is not {where}, or has no models", how, Exit.NO_STACK)
    urls = {str(one["name"]): str(one["url"]) for one in outputs["models"]}
    own = {str(one["name"]): str(one.get("address") or "") for one in outputs["models"]}
    return Deployed(str(outputs["address"]), urls, own)


def sandbox_variables() -> dict[str, str]:
    """The variables of the running sandbox. Raises CliError where none runs."""
    base = {key: value for key, value in os.environ.items() if key not in lifecycle.foreign()}
    try:
        return {**base, **lifecycle.environment(lifecycle.Home.default(), base)}
    except lifecycle.SandboxError as error:
        raise CliError(
            str(error), f"{error.hint}; or --real for the environment in the account"
        ) from error
