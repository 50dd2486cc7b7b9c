"""Write `data/machine_types.json`.

    python -m facts.machine_types_update FOLDER [--date 2026-08-20] [--commit dac31281]

FOLDER holds four semicolon-separated tables, `machinetypezone.csv`, `acceleratortypezone.csv`,
`zones.csv` and `regions.csv`, as the project named in SOURCE publishes them. The zones of a type
are folded into one of a few zone sets (`us-central1:abcf`), because most types share theirs.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from facts.files import DATA
from facts.zones import fold

SOURCE = "Cyclenerd/google-cloud-pricing-cost-calculator (Apache-2.0)"
TARGET = DATA / "machine_types.json"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def catalog(folder: Path, *, date: str, commit: str) -> str:
    """The text of TARGET."""
    where: dict[str, set[str]] = {}
    size: dict[str, tuple[int, int, bool]] = {}
    deprecated: dict[str, set[str]] = {}
    for row in _rows(folder / "machinetypezone.csv"):
        name = row["NAME"]
        where.setdefault(name, set()).add(row["ZONE"])
        memory = round(float(row["MEMORY_GB"]) * 1024)
        size[name] = (int(row["CPUS"]), memory, row["SHARED_CPU"] == "True")
        if row["DEPRECATED"]:
            deprecated.setdefault(row["DEPRECATED"], set()).add(name)
    accelerators: dict[str, set[str]] = {}
    for row in _rows(folder / "acceleratortypezone.csv"):
        accelerators.setdefault(row["NAME"], set()).add(row["ZONE"])

    # The API lists machine types in zones that it does not list itself and that cannot be used.
    zones = {row["NAME"] for row in _rows(folder / "zones.csv")}
    regions = {row["NAME"] for row in _rows(folder / "regions.csv")}
    folded = {name: fold(places & zones) for name, places in (where | accelerators).items()}
    sets = sorted(set(folded.values()))
    number = {text: index for index, text in enumerate(sets)}
    lines = [
        "{",
        f'"source": {json.dumps(SOURCE)},',
        f'"commit": {json.dumps(commit)},',
        f'"date": {json.dumps(date)},',
        f'"zones": {json.dumps(fold(zones))},',
        f'"regions": {json.dumps(" ".join(sorted(regions)))},',
        '"zone_sets": [',
        ",\n".join(json.dumps(text) for text in sets),
        "],",
        '"deprecated": ' + json.dumps({k: sorted(v) for k, v in sorted(deprecated.items())}) + ",",
        '"accelerators": {',
        ",\n".join(f"{json.dumps(n)}: {number[folded[n]]}" for n in sorted(accelerators)),
        "},",
        '"columns": ["cpus", "memory_mib", "shared_cpu", "zone_set"],',
        '"machine_types": {',
        ",\n".join(
            f"{json.dumps(n)}: [{c}, {m}, {int(s)}, {number[folded[n]]}]"
            for n, (c, m, s) in sorted(size.items())
        ),
        "}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the tables and write the catalog."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the four tables are")
    parser.add_argument("--date", default="2026-08-20", help="the day the tables were published")
    parser.add_argument("--commit", default="dac31281", help="their commit")
    args = parser.parse_args()
    TARGET.parent.mkdir(exist_ok=True)
    text = catalog(args.folder, date=args.date, commit=args.commit)
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
