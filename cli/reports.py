"""Where a policy report goes: stdout in one form, and files in others."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CliError, Exit
from policies.check import Report
from policies.reports import FORMATS


class Output(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    """Annotations of a GitHub workflow."""


AsJson = Annotated[bool, typer.Option("--json", help="As JSON; the same as --output json.")]
To = Annotated[Output, typer.Option("--output", "-o", help="How the report is written.")]
Also = Annotated[
    list[str] | None,
    typer.Option("--report", metavar="FORM=FILE", help="Write it to a file, too; repeatable."),
]


def files(given: list[str] | None) -> dict[Path, Output]:
    """The further reports that are asked for. Raises CliError."""
    wanted: dict[Path, Output] = {}
    for one in given or ():
        form, _, file = one.partition("=")
        if form not in set(Output) or not file:
            hint = f"as --report FORM=FILE, with one of {', '.join(Output)}"
            raise CliError(f"`{one}` does not say which report goes where", hint, Exit.USAGE)
        wanted[Path(file)] = Output(form)
    return wanted


def write(report: Report, output: Output, also: dict[Path, Output]) -> None:
    """Write the report to stdout and to the files; end with 5 where something stops."""
    for file, form in also.items():
        try:
            file.write_text(FORMATS[form](report), encoding="utf-8")
        except OSError as error:
            raise CliError(f"{file}: cannot be written: {error.strerror}", "", Exit.USAGE) from None
    sys.stdout.write(FORMATS[output](report))
    sys.stdout.flush()
    if not report.is_clean:
        raise typer.Exit(Exit.POLICY)
