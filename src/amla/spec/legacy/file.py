"""Files of configurations of 2018: one, or a collection of which one is chosen by name."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amla.spec.values import SpecError


def load(path: Path, record: str | None = None) -> dict[str, Any]:
    """Return the plain values of a configuration in a JSON file (`.gz`: compressed).

    Of a list of configurations, `record` chooses one: by its name, by its source, by the file name that ends its
    source, or by its number from 0. Raises SpecError, naming the file and what there is to choose.
    """
    try:
        given = path.read_bytes()
        found = json.loads(gzip.decompress(given) if path.suffix == ".gz" else given)
    except FileNotFoundError:
        raise SpecError(f"There is no file '{path}'.") from None
    except (OSError, EOFError) as error:
        raise SpecError(f"'{path}' cannot be read: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"'{path}' is no JSON: {error}.") from None
    if isinstance(found, list):
        found = _chosen(found, record, path)
    elif record is not None:
        raise SpecError(f"'{path}' is one configuration, so there is no record to choose; leave {record!r} out.")
    if not isinstance(found, dict):
        raise SpecError(f"'{path}' holds {str(found)[:40]!r}; a configuration of 2018 is a mapping of names to values.")
    return found


def _chosen(records: Sequence[Any], record: str | None, path: Path) -> Any:
    found = [each for number, each in enumerate(records) if record is None or record in _names(each, number)]
    if len(found) == 1:
        return found[0]
    named = ", ".join(_names(each, number)[-1] for number, each in enumerate(records) if not found or each in found)
    if record is None:
        raise SpecError(f"'{path}' holds {len(records)} configurations; choose a record by name. There are: {named}.")
    many = f"{len(found)} records of '{path}' are" if found else f"No record of '{path}' is"
    raise SpecError(f"{many} called {record!r}; there are: {named}.")


def _names(record: Any, number: int) -> tuple[str, ...]:
    """Return what a record may be called by: the last is no other's, as a rule."""
    if not isinstance(record, dict):
        return (str(number),)
    source = str(record.get("source") or "")
    told = [str(number), str(record.get("name") or number), source, source.rsplit("/", 1)[-1]]
    return tuple(name for name in told if name)
