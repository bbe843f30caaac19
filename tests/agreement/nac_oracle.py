"""One construction of 2018 by the rules of paper mode, in the plain values of the recorded answers."""

from collections.abc import Mapping
from typing import Any

from amla.algorithms.construct import Rules, construct, initial
from amla.spec.macro import Dialect, read_macro, written_macro


def step(
    dialect: Dialect,
    config: Mapping[str, Any],
    arch: Any,
    stats: Mapping[str, float],
    scalars: Mapping[str, float],
) -> Any:
    """Return the network after `arch`; with None the initial one.

    `stats` are "<item>/<branch>" -> statistic, `scalars` "<source cell>-><target cell>" -> scale; both the last
    readings, in order of first appearance. Raises ConstructionError where the released program crashed or exited.
    """
    rules = rules_of(dialect, config)
    if arch is None:
        return written_macro(initial(rules), dialect)
    statistics = {(int(item), name): worth for (item, name), worth in _parted(stats, "/")}
    scales = {(int(source), int(target)): scale for (source, target), scale in _parted(scalars, "->")}
    return written_macro(construct(read_macro(arch, rules.width), statistics, scales, rules), dialect)


def rules_of(dialect: Dialect, config: Mapping[str, Any]) -> Rules:
    """Return the rules that a configuration says. Flags beyond the number of stages are not read."""
    stages = config.get("stages", len(config["layers_per_stage"]))
    return Rules(
        cell=tuple(sorted(config["envelopecell"].items())),
        layers=tuple(config["layers_per_stage"][:stages]),
        max_layers=tuple(config["max_layers_per_stage"][:stages]),
        construction=tuple(config["construction"][:stages]),
        limits=tuple(config.get("parameter_limits", [False] * stages)[:stages]),
        width=config["stem_outputs"],
        quota=config["max_filter_prune"],
        skip=config.get("skip", False),
        worst_case=config.get("worst_case", False),
        dialect=dialect,
    )


def _parted(table: Mapping[str, float], by: str) -> list[tuple[tuple[str, str], float]]:
    found = []
    for key, number in table.items():
        before, _, after = key.partition(by)
        found.append(((before, after), number))
    return found
