"""What a study says of its parts: its space, its algorithm, and where and with what trials run."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from amla.spec.values import value
from amla.study.oneshot import OneShotSettings

Auto = Literal["auto"]  # by measurement


@value
class EnvelopeSettings:
    """The space of EnvelopeNets; see `amla.spaces.envelope.envelope`."""

    kind: Literal["envelope"] = field(default="envelope", kw_only=True)
    width: int = 32
    growth: tuple[float, ...] = ()
    skeleton: Literal["wideners", "pools"] = "wideners"
    stem_stride: int = 1
    cells: tuple[int, ...] = (2, 2)
    max_cells: tuple[int, ...] = (6, 6)
    branches: tuple[str, ...] = ("1x1", "3x3", "3x3sep", "5x5", "5x5sep", "7x7sep")
    skips: Literal["add", "concat", "none"] = "add"
    dropout: float = 0.0
    head_dropout: float = 0.2
    macs: int | None = None
    parameters: int | None = None


@value
class NasBench201Settings:
    """The space of NAS-Bench-201; see `amla.spaces.nasbench201.nasbench201`."""

    kind: Literal["nasbench201"] = field(default="nasbench201", kw_only=True)
    width: int = 16
    cells: int = 5


@value
class NasBenchMacroSettings:
    """The space of NAS-Bench-Macro; see `amla.spaces.nasbench_macro.nasbench_macro`."""

    kind: Literal["nasbench_macro"] = field(default="nasbench_macro", kw_only=True)
    width: int = 32
    last: int = 1280


@value
class DartsSettings:
    """The space of DARTS; see `amla.spaces.darts.darts`."""

    kind: Literal["darts"] = field(default="darts", kw_only=True)
    width: int = 36
    cells: int = 20
    stem: int = 3
    auxiliary: float | None = 0.4


@value
class EnasMacroSettings:
    """The macro space of ENAS; see `amla.spaces.enas_macro.enas_macro`."""

    kind: Literal["enas_macro"] = field(default="enas_macro", kw_only=True)
    width: int = 36
    layers: int = 12
    growth: int = 2
    dropout: float = 0.1


@value
class TemplateSettings:
    """All closings of the network in a file; see `amla.spaces.space.Space` for what `tied` and `even` mean.

    With `macs` or `parameters` those alone that have no more.
    """

    kind: Literal["template"] = field(default="template", kw_only=True)
    file: str
    tied: Mapping[str, str] = field(default_factory=dict)
    even: bool = False
    macs: int | None = None
    parameters: int | None = None


@value
class PaperSettings:
    """What NAC's paper mode is told besides; see `amla.algorithms.construct.Rules` and `amla.algorithms.paper`.

    `construction` empty: every stage is constructed; `parameter_limits` empty: no stage has one.
    """

    arm: Literal["best", "worst", "random"] = "best"
    dialect: Literal["amla", "env"] = "amla"
    skip: bool = True
    construction: tuple[bool, ...] = ()
    parameter_limits: tuple[bool, ...] = ()
    stem: Literal["response_norm", "conv"] = "response_norm"


@value
class NacSettings:
    """NAC; see `amla.algorithms.nac.Nac`. `steps` None: as many as the study's limit of seconds allows.

    The `mode` "paper" is the algorithm as it was in 2018, `paper` what that is told. `statistic` None: the
    probe "taylor", or in paper mode "msss".
    """

    kind: Literal["nac"] = field(default="nac", kw_only=True)
    iterations: int = 5
    steps: int | None = None
    statistic: str | None = None
    quota: int = 6
    share: float = 1 / 3
    skip_share: float = 0.5
    skip_statistic: str = "norm"
    growing_only: bool = True
    alike: bool = False
    windows: int = 1
    stable: float | None = None
    candidates: int = 1
    inherit: bool = False
    worst: bool = False
    mode: Literal["fixed", "paper"] = "fixed"
    paper: PaperSettings = PaperSettings()


@value
class RandomSettings:
    """Random search over `trials` architectures. `steps` None: as many as the limit of seconds allows."""

    kind: Literal["random"] = field(default="random", kw_only=True)
    trials: int = 10
    steps: int | None = None


@value
class EvolutionSettings:
    """Regularised evolution; see `amla.algorithms.evolution.Evolution`. `trials` None: until another limit is reached.

    Here as below, `steps` None: as many as the limit of seconds allows.
    """

    kind: Literal["evolution"] = field(default="evolution", kw_only=True)
    trials: int | None = 30
    steps: int | None = None
    population: int = 10
    sample: int = 3


@value
class LocalSettings:
    """Local search; see `amla.algorithms.local.LocalSearch`."""

    kind: Literal["local"] = field(default="local", kw_only=True)
    trials: int | None = 30
    steps: int | None = None
    improvement: Literal["first", "best"] = "first"


@value
class AshaSettings:
    """Successive halving, with several `brackets` Hyperband; see `amla.algorithms.halving.Halving`.

    `trials` counts legs, `steps` those of a network at the last rung.
    """

    kind: Literal["asha"] = field(default="asha", kw_only=True)
    trials: int | None = 40
    steps: int | None = None
    rungs: int = 3
    eta: int = 3
    brackets: int = 1
    costs: tuple[str, ...] = ()


@value
class Nsga2Settings:
    """Pareto evolution; see `amla.algorithms.nsga2.Nsga2`."""

    kind: Literal["nsga2"] = field(default="nsga2", kw_only=True)
    trials: int | None = 60
    steps: int | None = None
    costs: tuple[str, ...] = ("parameters",)
    population: int = 20


@value
class ReinforceSettings:
    """REINFORCE; see `amla.algorithms.reinforce.Reinforce`."""

    kind: Literal["reinforce"] = field(default="reinforce", kw_only=True)
    trials: int | None = 60
    steps: int | None = None
    rate: float = 0.1
    decay: float = 0.9


@value
class BayesSettings:
    """Bayesian optimisation; see `amla.algorithms.bayes.Bayes`."""

    kind: Literal["bayes"] = field(default="bayes", kw_only=True)
    trials: int | None = 30
    steps: int | None = None
    begin: int = 10
    candidates: int = 100
    parents: int = 5


@value
class OptunaSettings:
    """A sampler of Optuna, made with `options`; see `amla.algorithms.optuna.Optuna`."""

    kind: Literal["optuna"] = field(default="optuna", kw_only=True)
    trials: int | None = 30
    steps: int | None = None
    sampler: Literal["tpe", "gp", "random"] = "tpe"
    options: Mapping[str, Any] = field(default_factory=dict)
    costs: tuple[str, ...] = ()


@value
class Terms:
    """On what terms the algorithm searches, whichever it is.

    `distinct`: no isomorphic network is trained twice. `seeds`: so many trainings of each network, of which it is told
    the means. `most`: bounds on what is counted of a network before training. `after`: run folders whose searches it
    knows from the start. See `amla.algorithms.screened` and `amla.algorithms.shadow`.
    """

    distinct: bool = False
    seeds: int = 1
    most: Mapping[str, float] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@value
class FixedSettings:
    """No search: the architectures in these files, each trained for `steps`."""

    kind: Literal["fixed"] = field(default="fixed", kw_only=True)
    architectures: tuple[str, ...]
    steps: int | None = None


@value
class RemoteSettings:
    """An algorithm behind `url`; see `amla.algorithms.remote.Remote`. `options` are passed on to it.

    `seconds` is how long an answer may take. `steps` None: as many as the limit of seconds allows.
    """

    kind: Literal["remote"] = field(default="remote", kw_only=True)
    url: str
    steps: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 60.0


@value
class RunOffSettings:
    """A run-off after the search; see `amla.algorithms.runoff.RunOff`.

    The best `networks` train anew, `times` as many steps as in the search.
    """

    networks: int = 3
    times: int = 4


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


SpaceSettings = Annotated[
    EnvelopeSettings
    | NasBench201Settings
    | NasBenchMacroSettings
    | DartsSettings
    | EnasMacroSettings
    | TemplateSettings,
    Field(discriminator="kind"),
]
OpenEnded = (
    EvolutionSettings
    | LocalSettings
    | AshaSettings
    | Nsga2Settings
    | ReinforceSettings
    | BayesSettings
    | OptunaSettings
)  # algorithms that go on until their `trials` are used up
AlgorithmSettings = Annotated[
    NacSettings | RandomSettings | OpenEnded | FixedSettings | RemoteSettings | OneShotSettings,
    Field(discriminator="kind"),
]
OnThisMachine = Inline | Local
ExecutorSettings = Annotated[Inline | Local | Ray | Http | Simulated, Field(discriminator="kind")]
BackendSettings = Annotated[Torch | TabularSettings, Field(discriminator="kind")]
TrackerSettings = Annotated[MlflowSettings | TensorBoardSettings, Field(discriminator="kind")]
