"""Where and with what runs came about: machine, code, libraries, device. What differs there confounds a comparison."""

from collections.abc import Iterable, Mapping

from amla.comparison.record import Record

MATTERS_NOT = ("machine", "device")  # where a table answers: its accuracies and costs are the same everywhere

Circumstances = Mapping[str, tuple[str, ...]]


def circumstances(records: Iterable[Record]) -> Circumstances:
    """Return all values that runs have of each circumstance, in order."""
    found: dict[str, set[str]] = {}
    for record in records:
        for name, said in record.about.items():
            found.setdefault(name, set()).update({said} - {""})
    return {name: tuple(sorted(values)) for name, values in found.items()}


def mixed(about: Circumstances, is_tabled: bool) -> str | None:
    """Return in words in which circumstances runs differ, None if in none that matters."""
    differing = {name: values for name, values in about.items() if len(values) > 1}
    told = [
        f"{name} ({'; '.join(values)})" for name, values in differing.items() if not (is_tabled and name in MATTERS_NOT)
    ]
    return f"runs differ in {', '.join(told)}" if told else None
