"""The 33 configurations that were released in 2018."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "reference_configs.json.gz"
RECORDS: list[dict[str, Any]] = json.loads(gzip.decompress(FILE.read_bytes()))


def called(record: dict[str, Any]) -> str:
    return str(record["source"]).rsplit("/", 1)[-1]


def found(name: str) -> dict[str, Any]:
    """Return a copy of the record whose file was called so."""
    return copy.deepcopy(next(record for record in RECORDS if called(record) == name))


def raw(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in the form of the files that were released."""
    names = {"stem": "init_cell", "classification": "classification_cell", "training": "child_training"}
    kept = {name: said for name, said in record.items() if said is not None}
    for name in ("name", "source", "license", "arch_type"):
        kept.pop(name, None)
    return {names.get(name, name): said for name, said in kept.items()}


def thin(record: dict[str, Any], divisor: int = 8) -> dict[str, Any]:
    """Return a record whose network has fewer channels by `divisor`."""
    record = copy.deepcopy(record)
    for layer in record["stem"].values():
        for branch in layer.values():
            if "outputs" in branch:
                branch["outputs"] = max(8, branch["outputs"] // divisor)
    for item in (record["arch"] or {}).get("network", ()):
        if isinstance(item, dict) and "filters" in item and "outputs" in item:
            item["outputs"] //= divisor
    return record
