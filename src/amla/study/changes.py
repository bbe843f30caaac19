"""Changes of single settings of a study, as a command line gives them: "recipe.batch=128"."""

from collections.abc import Sequence
from typing import Any

from amla.spec.text import plain_yaml
from amla.spec.values import SpecError
from amla.study.study import Study, StudyError, from_plain, to_plain

Plain = dict[str, Any]


def changed(study: Study, settings: Sequence[str]) -> Study:
    """Return `study` with settings changed, one after another. Raises StudyError, naming the setting.

    A value is YAML. Another `kind` brings other settings with it, as they are by default.
    """
    plain = to_plain(study)
    fresh: list[Plain] = []  # of another kind now: what settings these have is found out when the study is made
    for setting in settings:
        address, equals, text = setting.partition("=")
        if not equals:
            raise StudyError(f"--set {setting!r} says no value; write it like --set recipe.batch=128.")
        *path, last = address.strip().split(".")
        place = _place(plain, path, setting)
        if last not in place and not any(place is other for other in fresh):
            raise StudyError(_unknown(setting, last, path, place))
        given = _value(setting, text)
        if last == "kind" and given != place["kind"]:
            place.clear()
            fresh.append(place)
        place[last] = given
    return from_plain(plain)


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
        return f"--set {setting!r}: {address!r} is {place[step]!r}, which has no settings of its own."
    where = f"'{'.'.join(path)}'" if path else "a study"
    return f"--set {setting!r}: there is no setting {address!r}; {where} has {', '.join(place)}."


def _value(setting: str, text: str) -> Any:
    try:
        return plain_yaml(text)
    except SpecError as error:
        raise StudyError(f"--set {setting!r}: {error}") from None
