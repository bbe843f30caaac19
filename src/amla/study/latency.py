"""The latencies of a study's networks: measured here or by an agent elsewhere, once, and kept in the user's cache."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter, ValidationError

from amla.backends.latency import Latency, latencies
from amla.backends.probing import Asked, asking, device_path
from amla.execution.service import Connection, Gone, Refused
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.spec.text import explain
from amla.spec.values import SpecError, value
from amla.storage.files import Files
from amla.study.settings.latency import LatencySettings
from amla.study.study import Study, StudyError
from amla.tasks import cache
from amla.trials.calls import headers

SECONDS = 120.0  # that an agent may take for a measurement
CHECK = 16  # bytes of the checksum of what is in the cache

Notice = Callable[[str], None]


@value
class _Kept:
    """A latency in the cache, what it depends on, and a checksum of both."""

    of: dict[str, str]
    latency: Latency
    check: str


_kept = TypeAdapter(_Kept)


@dataclass
class Meter:
    """Says how long networks take, by the settings of a study. `notice` is told of a cache that cannot be believed.

    What is known of networks is never measured again: neither what is in `known`, by digest, nor what is in the cache.
    """

    settings: LatencySettings
    notice: Notice
    known: dict[str, Latency] = field(default_factory=dict)

    def __call__(self, network: Architecture) -> Latency:
        """Return the latency of a closed network. Raises StudyError where it cannot be measured."""
        key = digest(network)
        if key not in self.known:
            of = {"network": key, "device": self.device}
            found = self._cached(of)
            if found is None:
                found = self._measured(network)
                self._keep(of, found)
            self.known[key] = found
        return self.known[key]

    @cached_property
    def device(self) -> str:
        """What is measured on. Raises StudyError where that cannot be found out."""
        asked = self.settings
        if asked.url is None:
            try:
                return str(self._library.device(asked.runtime, asked.batch, asked.threads))
            except ModuleNotFoundError as error:
                raise _lacking(error) from None
        path = device_path(asked.runtime, asked.batch, asked.threads)
        return str(json.loads(self._asked("GET", path, None))["device"])

    def _measured(self, network: Architecture) -> Latency:
        asked = self.settings
        if asked.url is None:
            try:
                found: Latency = self._library.of_network(network, asked.runtime, asked.batch, asked.threads)
            except ModuleNotFoundError as error:
                raise _lacking(error) from None
            except SpecError:
                raise
            except ValueError as error:
                raise StudyError(f"The latency of a network cannot be measured: {error}.") from None
            return found
        body = asking.dump_json(Asked(network, asked.runtime, asked.batch, asked.threads))
        text = self._asked("POST", "latency", body)
        try:
            return latencies.validate_json(text)
        except ValidationError as error:
            raise StudyError(f"latency.url: the answer of {asked.url} breaks a rule: {explain(error)}.") from None

    def _asked(self, method: str, path: str, body: bytes | None) -> bytes:
        """Return what the agent answers. Raises StudyError."""
        url = self.settings.url or ""
        connection = Connection(url, SECONDS, headers())
        try:
            status, text = connection.ask(method, path, body, {"Content-Type": "application/json"}, SECONDS)
        except (Gone, Refused) as error:
            raise StudyError(
                f"latency.url: {error}. Start `amla probe-device --listen` there, and then the same command again."
            ) from None
        finally:
            connection.close()
        if status != 200:
            said = text[:300].decode(errors="replace")
            raise StudyError(f"latency.url: {url} answers with status {status}: {said}")
        return text

    @cached_property
    def _library(self) -> Any:
        try:
            return import_module("amla.export.latency")
        except ModuleNotFoundError as error:
            raise _lacking(error) from None

    def _cached(self, of: dict[str, str]) -> Latency | None:
        name, folder = _name(of), cache.folder(None)
        try:
            text = Files(folder).read_text(name)
        except OSError:
            return None
        try:
            found = _kept.validate_json(text)
            if found.check == _check(found.of, found.latency) and found.of == of:
                return found.latency
        except ValueError:
            pass
        self.notice(f"'{folder / name}' is damaged: the latency in it is not believed, and measured again.")
        return None

    def _keep(self, of: dict[str, str], latency: Latency) -> None:
        try:
            text = _kept.dump_json(_Kept(of, latency, _check(of, latency)), indent=1).decode() + "\n"
            Files(cache.folder(None)).write_text(_name(of), text)
        except OSError:
            return  # without a cache it is measured again


def meter_of(study: Study, notice: Notice) -> Meter | None:
    """Return what measures the networks of a study, None if nothing should."""
    return None if study.latency is None else Meter(study.latency, notice)


def _name(of: dict[str, str]) -> str:
    return f"latencies/{blake2b(json.dumps(of).encode(), digest_size=16).hexdigest()}.json"


def _check(of: dict[str, str], latency: Latency) -> str:
    return blake2b(json.dumps(of).encode() + latencies.dump_json(latency), digest_size=CHECK).hexdigest()


def _lacking(error: ModuleNotFoundError) -> StudyError:
    extra = "onnx" if (error.name or "").startswith("onnx") else "torch"
    other = " Or measure in PyTorch: --set latency.runtime=torch." if extra == "onnx" else ""
    return StudyError(f"Measuring latency needs {error.name!r}; install it with: pip install 'amla[{extra}]'.{other}")
