"""What trackers show of runs, read back with their own clients."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"

from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from amla.spec import text
from amla.spec.architecture import Architecture
from amla.study.settings.places import MlflowSettings, TensorBoardSettings, TrackerSettings

Points = dict[str, list[tuple[int, float]]]


@dataclass(frozen=True)
class Shown:
    """A run as a tracker shows it: numbers by name and step, of the study and of each trial, and their networks."""

    study: Points
    trials: dict[str, Points]
    networks: dict[str, Architecture]
    settings: dict[str, str]


class Died(Exception):
    """The tracker's process was killed, as it were."""


@dataclass(frozen=True)
class Mlflow:
    """MLflow in a database."""

    uri: str
    folder: Path

    @property
    def settings(self) -> TrackerSettings:
        return MlflowSettings(uri=self.uri, experiment="tests")

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.uri)

    def runs(self) -> list[Any]:
        experiment = self.client.get_experiment_by_name("tests")
        return [] if experiment is None else list(self.client.search_runs([experiment.experiment_id]))

    def shown(self) -> list[Shown]:
        found = self.runs()
        parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
        return [self._shown(run, found) for run in parents]

    def _shown(self, parent: Any, found: list[Any]) -> Shown:
        children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        named = {run.data.tags["amla.trial"]: run for run in children}
        assert len(named) == len(children), "a trial is there twice"
        networks = {name: self._network(run) for name, run in named.items()}
        trials = {name: self._points(run) for name, run in named.items()}
        return Shown(self._points(parent), trials, networks, dict(parent.data.params))

    def _network(self, run: Any) -> Architecture:
        with TemporaryDirectory() as folder:  # MLflow would leave one of its own behind
            return text.load(Path(self.client.download_artifacts(run.info.run_id, "network.arch.json", folder)))

    def _points(self, run: Any) -> Points:
        histories = {name: self.client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        return {
            name.replace(".plus", "+"): sorted((metric.step, metric.value) for metric in history)
            for name, history in histories.items()
        }

    @contextmanager
    def dying(self, after: int, patch: Any) -> Iterator[None]:
        """Let the client do so many requests that change something, and no more."""
        left = [after]

        def counted(act: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise Died
                return act(*given, **named)

            return call

        with patch.context() as patched:
            for name in ("create_run", "log_batch", "log_text", "set_terminated", "log_artifact"):
                patched.setattr(MlflowClient, name, counted(getattr(MlflowClient, name)))
            yield


@dataclass(frozen=True)
class TensorBoard:
    """Event files in a folder."""

    folder: Path

    @property
    def settings(self) -> TrackerSettings:
        return TensorBoardSettings(folder=str(self.folder))

    def shown(self) -> list[Shown]:
        return [self._shown(run) for run in sorted(self.folder.glob("*"))]

    def _shown(self, run: Path) -> Shown:
        legs = {
            f"{path.parent.name}/{path.name}": self.read(path)
            for phase in ("search", "baselines", "tuning", "final")
            for path in sorted((run / phase).glob("*"))
        }
        networks = {}
        for name, leg in legs.items():
            (said,) = leg.Tensors("network")
            networks[name] = text.from_yaml(fenced(said))
            graph = GraphDef.FromString(leg.Graph().SerializeToString())
            assert [node.name for node in graph.node] == [node.id for node in networks[name]]
        (study,) = self.read(run).Tensors("study")
        plain = yaml.safe_load(fenced(study))
        settings = {"name": plain["name"], "recipe.batch": str(plain["recipe"]["batch"])}
        return Shown(points(self.read(run)), {name: points(leg) for name, leg in legs.items()}, networks, settings)

    @staticmethod
    def read(folder: Path) -> EventAccumulator:
        return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()

    @contextmanager
    def dying(self, after: int, patch: Any) -> Iterator[None]:
        """Let so many events be written, and no more; the newest file then has half of its last event."""
        left, act = [after], EventFileWriter.add_event

        def counted(writer: EventFileWriter, event: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Died
            act(writer, event)
            writer.flush()
            newest[0] = Path(writer._file_name)

        newest: list[Path | None] = [None]
        with patch.context() as patched:
            patched.setattr(EventFileWriter, "add_event", counted)
            yield
        if newest[0] is not None:
            content = newest[0].read_bytes()
            newest[0].write_bytes(content[:-7])


def points(found: EventAccumulator) -> Points:
    return {tag: sorted((e.step, e.value) for e in found.Scalars(tag)) for tag in found.Tags()["scalars"]}


def fenced(said: Any) -> str:
    return str(said.tensor_proto.string_val[0].decode()).removeprefix("```yaml\n").removesuffix("```")
