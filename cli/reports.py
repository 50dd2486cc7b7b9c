"""Writes a policy report to stdout in one format and to files in others."""

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
    """The format of a report."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    """Annotations of a GitHub workflow."""


AsJson = Annotated[bool, typer.Option("--json", help="The same as --output json.")]
To = Annotated[Output, typer.Option("--output", "-o", help="The format of the report.")]
Also = Annotated[
    list[str] | None,
    typer.Option(
        "--report", metavar="FORMAT=FILE", help="Also write the report to a file; repeatable."
    ),
]


def files(given: list[str] | None) -> dict[Path, Output]:
    """The format for each file of `--report`. Raises CliError."""
    wanted: dict[Path, Output] = {}
    for one in given or ():
        format_, _, file = one.partition("=")
        if format_ not in set(Output) or not file:
            hint = f"the form is FORMAT=FILE, where FORMAT is one of {', '.join(Output)}"
            raise CliError(f"--report {one}: not a format and a file", hint, Exit.USAGE)
        wanted[Path(file)] = Output(format_)
    return wanted


def write(report: Report, output: Output, also: dict[Path, Output]) -> None:
    """Write the report to stdout and to the files; exit with 5 when a violation is mandatory.

    A file that could not be read ends with 2, whatever the others hold.
    """
    for file, format_ in also.items():
        try:
            file.write_text(FORMATS[format_](report), encoding="utf-8")
        except OSError as error:
            raise CliError(f"{file}: cannot be written: {error.strerror}", "", Exit.USAGE) from None
    sys.stdout.write(FORMATS[output](report))
    sys.stdout.flush()
    if report.unreadable:
        raise typer.Exit(Exit.USAGE)
    if not report.is_clean:
        raise typer.Exit(Exit.POLICY)
