"""Updates of the serving layer of a changed copy of the stack file, as by an operator's edit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.engine import Engine, Result
from cli.environments import ROOT
from cli.errors import CliError, Exit
from cli.guards import exclusion
from gkeplatform import yaml_files
from gkeplatform.environment import file_of
from gkeplatform.layers import ENVIRONMENT, SERVING, Layer

MODELS = "gke-serving:models"
_SEALED = re.compile("encryptionsalt|secretsprovider|encryptedkey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """Deploys the serving layer of a rehearsed environment; the repository's file stays as it is.

    Records of what was deployed are not written: the next rehearsal looks at everything.
    """

    environment: str
    variables: Mapping[str, str]
    salt: Path
    """The file of the salt of every rehearsed stack."""
    folder: Path
    """Where the changed copy is written."""

    def entry(self, model: str) -> dict[str, Any]:
        """The model's entry in the stack file. Raises CliError for one of the catalogue."""
        for one in self._document()["config"].get(MODELS) or ():
            if one.get("name") == model:
                return dict(one)
        raise CliError(
            f"{model} is not in {file_of(self.environment)}, but in the catalogue",
            "the drill edits the stack file: name a model of it",
            Exit.USAGE,
        )

    def deploy(self, model: str, changes: Mapping[str, Any]) -> Result:
        """Deploy the serving layer with other keys of one model. Raises CliError."""
        document = self._document()
        for one in document["config"][MODELS]:
            if one.get("name") == model:
                one.update(changes)
        text = yaml.safe_dump(document, sort_keys=False)
        if not _SEALED.search(" ".join(document)):
            text += self.salt.read_text()
        copy = self.folder / f"Pulumi.{self.environment}.yaml"
        self.folder.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
        return self._up({**self.variables, "PULUMI_OPTION_CONFIG_FILE": str(copy)})

    def restore(self, *, publish: bool) -> None:
        """Deploy serving as the file says; `publish`: the environment too. Raises CliError."""
        for layer in (SERVING, ENVIRONMENT) if publish else (SERVING,):
            self._up(self.variables, layer)

    def _document(self) -> dict[str, Any]:
        file = file_of(self.environment)
        found: dict[str, Any] = yaml_files.read(ROOT / file, file).value
        return found

    def _up(self, variables: Mapping[str, str], layer: Layer = SERVING) -> Result:
        with exclusion.held(self.environment, "./platformctl drill", variables):
            engine = Engine(variables, lambda *_: None)
            return engine.up(layer, self.environment, interactive=False, preview=False)
