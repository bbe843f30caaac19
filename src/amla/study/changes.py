"""Changes of single settings of a study, as a command line gives them: "recipe.batch=128"."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from amla.spec.text import plain_yaml
from amla.spec.values import SpecError
from amla.study.study import Study, StudyError, from_plain, to_plain

Plain = dict[str, Any]


def changed(study: Study, settings: Sequence[str], part: str = "") -> Study:
    """Return `study` with settings changed, one after another. Raises StudyError, naming the setting.

    A value is YAML. Another `kind` brings other settings with it, as they are by default. With a `part`, such as
    "data", only its settings are changed.
    """
    return _changed(study, [_parsed(setting) for setting in settings], part)


def altered(study: Study, settings: Mapping[str, Any], part: str = "") -> Study:
    """Return `study` with settings changed, as `changed` does, by address: plain values, or mappings of them.

    {"recipe.batch": 128} and {"recipe": {"batch": 128}} say the same. Raises StudyError, naming the setting.
    """
    pairs = list(_flat(settings, to_plain(study)))
    return _changed(study, [(f"{address}={value!r}", address, value) for address, value in pairs], part)


def _changed(study: Study, settings: Sequence[tuple[str, str, Any]], part: str) -> Study:
    """Return `study` with settings changed: each as it was said, its address, and its value."""
    plain = to_plain(study)
    fresh: list[Plain] = []  # of another kind now: what settings these have is found out when the study is made
    for said, address, given in settings:
        *path, last = address.split(".")
        if part and part != (path or [last])[0]:
            continue
        place = _place(plain, path, said)
        if last not in place and not any(place is other for other in fresh):
            raise StudyError(_unknown(said, last, path, place))
        if last == "kind" and given != place["kind"]:
            place.clear()
            fresh.append(place)
        place[last] = given
    return from_plain(plain)


def _parsed(setting: str) -> tuple[str, str, Any]:
    address, equals, text = setting.partition("=")
    said = f"--set {setting!r}"
    if not equals:
        raise StudyError(f"{said} says no value; write it like --set recipe.batch=128.")
    try:
        return said, address.strip(), plain_yaml(text)
    except SpecError as error:
        raise StudyError(f"{said}: {error}") from None


def _flat(settings: Mapping[str, Any], there: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield values by address: a `kind` before all that it brings, whole where `there` is nothing with settings."""
    for name, value in sorted(settings.items(), key=lambda item: item[0] != "kind"):
        inside = there
        for step in name.split("."):
            inside = inside.get(step) if isinstance(inside, dict) else None
        if isinstance(value, Mapping) and isinstance(inside, dict):
            yield from _flat(value, inside, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _place(plain: Plain, path: Sequence[str], setting: str) -> Plain:
    """Return the settings that `path` leads to."""
    place = plain
    for depth, step in enumerate(path):
        inside = place.get(step)
        if not isinstance(inside, dict):
            raise StudyError(_unknown(setting, step, path[:depth], place))
        place = inside
    return place


def _unknown(setting: str, step: str, path: Sequence[str], place: Plain) -> str:
    address = ".".join([*path, step])
    if step in place:
        return f"{setting}: {address!r} is {place[step]!r}, which has no settings of its own."
    where = f"'{'.'.join(path)}'" if path else "a study"
    return f"{setting}: there is no setting {address!r}; {where} has {', '.join(place)}."
