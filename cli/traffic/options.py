"""Options that `request` and `load` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import arguments

Model = Annotated[
    str,
    typer.Argument(
        help="A model of the environment's catalog.", autocompletion=arguments.model_names
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "-d",
        help="File with the body, - for stdin. Default: a small one of the protocol.",
    ),
]
CallPath = Annotated[
    str | None,
    typer.Option("--path", help="Path at the front end. Default: the protocol's, of the model."),
]
Method = Annotated[
    str | None,
    typer.Option("--method", "-X", help="Default: the protocol's; POST with --data."),
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", help="A header of the request, `Name: value`; repeatable."),
]
Real = Annotated[
    bool,
    typer.Option("--real", help="The environment in the account, not the rehearsed one."),
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="HOST or HOST:PORT to connect to instead."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--identity-token-file",
        help="ID token for Identity-Aware Proxy. Default: gcloud's; in the sandbox, its own.",
    ),
]
Caller = Annotated[
    str | None,
    typer.Option(
        "--as",
        help="Who calls through Identity-Aware Proxy in the sandbox. Default: somebody whom it "
        "admits.",
    ),
]
Timeout = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds to wait for an answer.")
]
