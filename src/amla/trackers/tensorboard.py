"""Runs in TensorBoard: a folder of event files for the study, and in it one for each trial. Nothing is written twice.

What the event files hold is the only record of what was written. A file that a killed process left, torn or not, is
read as far as it goes, and another one beside it goes on; TensorBoard shows them as one.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from amla.spec.architecture import Architecture
from amla.spec.text import to_yaml
from amla.trackers.told import Begun, Ended, Leg, Line

EVERYTHING = {"scalars": 0, "tensors": 0}  # of what an event file holds is read back, not a sample
_UNUSUAL = re.compile(r"[^\w-]+")  # in the name of a folder
OVER = "seconds"  # the tag, after that of the phase, that every trial has which is over: written last

logging.getLogger("tensorboard").setLevel(logging.ERROR)


class TensorBoard:
    """Writes runs below `folder`, each into one that is named for its study and its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run: Place
        self._legs: dict[str, Place] = {}  # of the trials under way

    def begins(self, run: Begun) -> None:
        """Open the run's folder; write the study into it, if it is new."""
        self._run = Place(self._folder / f"{_UNUSUAL.sub('-', run.name)}-{run.key[:8]}")
        if "study" not in self._run.steps:
            said = _text("study", f"```yaml\n{run.study}```", run.at)
            chosen = hparams_pb(dict(run.settings), trial_id=run.key, start_time_secs=run.at)
            said.summary.MergeFrom(chosen)
            self._run.write(said)
            self._run.flush()

    def asked(self, leg: Leg) -> None:
        """Write the network of a trial, as a text and as a graph."""
        if self._is_over(leg):
            return
        place = self._legs[leg.key] = Place(self._run.path / leg.key)
        if "network" not in place.steps:
            _write_network(place, leg.trial.proposal.architecture, leg.asked)
            place.flush()

    def progress(self, leg: Leg, lines: Sequence[Line]) -> None:
        """Write lines of a trial's curve."""
        if self._is_over(leg):
            return
        place = self._legs[leg.key]
        for line in lines:
            place.write_scalars(line.values(), line.at, line.step)
        place.flush()

    def told(self, leg: Leg) -> None:
        """Write the outcome of a trial into the run's folder, by trial."""
        if self._is_over(leg):
            return
        place, at = self._legs.pop(leg.key), leg.told or leg.asked
        place.write_scalars(leg.metrics(), at, leg.before + leg.trial.proposal.budget)
        place.close()
        statistics = {f"statistics/{name}": number for name, number in leg.statistics().items()}
        self._run.write_scalars(leg.by_trial() | statistics, at, leg.trial.id)
        self._run.flush()

    def ends(self, end: Ended) -> None:
        """Write what was found in the end; files are named, as TensorBoard shows none."""
        for place in self._legs.values():
            place.close()
        if end.finished and "files" not in self._run.steps:
            self._run.write_scalars(end.figures, end.at, 0)
            named = "".join(f"- {name}: {path.absolute()}\n" for name, path in end.files.items())
            self._run.write(_text("files", named, end.at))
        self._run.close()

    def _is_over(self, leg: Leg) -> bool:
        return leg.trial.id in self._run.steps[f"{leg.phase}/{OVER}"]


class Place:
    """A folder of event files: what is in it, and a file to go on with, which is there once something is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.steps: defaultdict[str, set[int]] = defaultdict(set)
        self._writer: EventFileWriter | None = None
        if not path.is_dir():
            return
        found = EventAccumulator(str(path), size_guidance=EVERYTHING).Reload()
        for tag in found.Tags()["scalars"]:
            self.steps[tag] |= {event.step for event in found.Scalars(tag)}
        for tag in found.Tags()["tensors"]:
            self.steps[tag] |= {event.step for event in found.Tensors(tag)}

    def write(self, event: Event) -> None:
        """Append an event."""
        if self._writer is None:
            self._writer = EventFileWriter(str(self.path))
        self._writer.add_event(event)
        for one in event.summary.value:
            self.steps[one.tag].add(event.step)

    def write_scalars(self, numbers: Mapping[str, float], at: float, step: int) -> None:
        """Append numbers of one step in one event, those that are not there; it is read back whole or not at all."""
        new = {name: number for name, number in numbers.items() if step not in self.steps[name]}
        if new:
            values = [Summary.Value(tag=name, simple_value=number) for name, number in new.items()]
            self.write(Event(wall_time=at, step=step, summary=Summary(value=values)))

    def flush(self) -> None:
        """See that what was written can be read."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """End the file that was begun, if one was."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _write_network(place: Place, network: Architecture, at: float) -> None:
    nodes = [
        NodeDef(name=node.id, op=node.op.kind, input=node.inputs, attr={"op": AttrValue(s=repr(node.op).encode())})
        for node in network
    ]
    place.write(Event(wall_time=at, graph_def=GraphDef(node=nodes).SerializeToString()))
    place.write(_text("network", f"```yaml\n{to_yaml(network)}```", at))


def _text(tag: str, text: str, at: float) -> Event:
    """Return a text, in Markdown, as TensorBoard's plug-in for texts reads it."""
    shown = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
    tensor.tensor_shape.dim.add(size=1)
    return Event(wall_time=at, summary=Summary(value=[Summary.Value(tag=tag, metadata=shown, tensor=tensor)]))
