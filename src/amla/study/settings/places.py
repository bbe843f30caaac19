"""What a study says of where, with what, and before whose eyes trials run."""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from amla.spec.values import value

Auto = Literal["auto"]  # by measurement


@value
class Inline:
    """Trials run one after another in the process that runs the study, with so many threads."""

    kind: Literal["inline"] = field(default="inline", kw_only=True)
    threads: int | Auto = "auto"


@value
class Local:
    """Trials run in worker processes on this machine; `memory` bounds the bytes of each.

    See `amla.study.arrangement` for what is automatic; `threads` None: a worker's share of the cores.
    """

    kind: Literal["local"] = field(default="local", kw_only=True)
    workers: int | Auto = "auto"
    threads: int | Auto | None = "auto"
    memory: int | None = None


@value
class Ray:
    """Trials run in workers on a Ray cluster, each of which has so many `cpus`, `gpus` and bytes of `memory`.

    `address` None: a Ray for this study alone, on this machine; see `amla.execution.cluster.connected`. `workers`
    auto: as many as the nodes there are have room for.
    """

    kind: Literal["ray"] = field(default="ray", kw_only=True)
    address: str | None = None
    workers: int | Auto = "auto"
    cpus: int = 1
    gpus: float = 0.0
    memory: int | None = None


@value
class Simulated:
    """Trials take simulated time only, on so many imagined workers; see `amla.execution.simulated`."""

    kind: Literal["simulated"] = field(default="simulated", kw_only=True)
    workers: int = 1


@value
class Http:
    """Trials are sent to the worker services at `urls`; see `amla.execution.http.HttpExecutor`.

    `workers` auto: as many at once as the services have slots when the study starts. Each has `threads` and `memory`
    bytes, as far as is said. A service is gone that has not answered for `lease` seconds; without any for `patience`
    seconds, the study ends.
    """

    kind: Literal["http"] = field(default="http", kw_only=True)
    urls: tuple[str, ...]
    workers: int | Auto = "auto"
    threads: int | None = None
    memory: int | None = None
    lease: float = 15.0
    patience: float = 600.0


@value
class Torch:
    """PyTorch, on `device` (None: the best there is); the final training is on so many `devices` at once."""

    kind: Literal["torch"] = field(default="torch", kw_only=True)
    device: str | None = None
    devices: int = 1


@value
class TabularSettings:
    """Nothing is trained: a `table` says what training came to; see `amla.evaluation.tables`.

    `latency` names devices on which the time that a network takes is a metric.
    """

    kind: Literal["tabular"] = field(default="tabular", kw_only=True)
    table: Literal["nasbench201", "nasbench_macro"]
    latency: tuple[str, ...] = ()


@value
class MlflowSettings:
    """MLflow, at `uri` (None: where MLFLOW_TRACKING_URI says, or as MLflow does without), in this experiment."""

    kind: Literal["mlflow"] = field(default="mlflow", kw_only=True)
    uri: str | None = None
    experiment: str = "amla"


@value
class TensorBoardSettings:
    """Event files for TensorBoard, below `folder`."""

    kind: Literal["tensorboard"] = field(default="tensorboard", kw_only=True)
    folder: str = "tensorboard"


OnThisMachine = Inline | Local
ExecutorSettings = Annotated[Inline | Local | Ray | Http | Simulated, Field(discriminator="kind")]
BackendSettings = Annotated[Torch | TabularSettings, Field(discriminator="kind")]
TrackerSettings = Annotated[MlflowSettings | TensorBoardSettings, Field(discriminator="kind")]
