"""What a study says of its algorithm, and on what terms it searches."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from amla.spec.values import value


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
class ZeroCostSettings:
    """Zero-cost ranking; see `amla.algorithms.zero_cost.ZeroCost`. `steps` None: as many as the limit allows."""

    kind: Literal["zero_cost"] = field(default="zero_cost", kw_only=True)
    steps: int | None = None
    scores: tuple[str, ...] = ("az_nas",)
    candidates: int = 100
    trained: int = 5
    examples: int = 64


@value
class DartsSearchSettings:
    """DARTS; see `amla.algorithms.darts.Darts`. `steps` None: as many as the limit of seconds allows."""

    kind: Literal["darts"] = field(default="darts", kw_only=True)
    steps: int | None = None
    legs: int = 10
    rate: float = 3e-4
    weight_decay: float = 1e-3
    order: Literal["first", "second"] = "first"
    skip: float = 0.0
    select: Literal["weight", "perturbation"] = "weight"
    tuning: int = 10


@value
class EnasSettings:
    """ENAS; see `amla.algorithms.enas.Enas`. `steps` None: as many as the limit of seconds allows."""

    kind: Literal["enas"] = field(default="enas", kw_only=True)
    steps: int | None = None
    legs: int = 30
    paths: int = 20
    examples: int | None = None
    rate: float = 1.0
    memory: float = 0.95


@value
class RandomSharingSettings:
    """Random search with weight sharing; see `amla.algorithms.sharing.RandomSharing`.

    `steps` None: as many as the limit of seconds allows.
    """

    kind: Literal["random_sharing"] = field(default="random_sharing", kw_only=True)
    steps: int | None = None
    legs: int = 10
    paths: int = 100
    examples: int | None = None


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
class StopSettings:
    """Stop once another `seconds` of trials promise a gain of less than `gain`; see `amla.algorithms.stopping`."""

    gain: float = 0.001
    seconds: float = 600.0


@value
class Terms:
    """On what terms the algorithm searches, whichever it is.

    `distinct`: no isomorphic network is trained twice. `seeds`: so many trainings of each network, of which it is told
    the means. `most`: bounds on what is counted of a network before training. `after`: run folders whose searches it
    knows from the start. `stop`: end when more trials promise little. See `screened`, `shadow` and `stopping` in
    `amla.algorithms`.
    """

    distinct: bool = False
    seeds: int = 1
    most: Mapping[str, float] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    stop: StopSettings | None = None


@value
class RunOffSettings:
    """A run-off after the search; see `amla.algorithms.runoff.RunOff`.

    The best `networks` train anew, `times` as many steps as in the search, and beside them a `plain` one, as people
    would build it by hand, where the space has such.
    """

    networks: int = 3
    times: int = 4
    plain: bool = False


OpenEnded = (
    EvolutionSettings
    | LocalSettings
    | AshaSettings
    | Nsga2Settings
    | ReinforceSettings
    | BayesSettings
    | OptunaSettings
)  # algorithms that go on until their `trials` are used up
OneShotSettings = DartsSearchSettings | EnasSettings | RandomSharingSettings
AlgorithmSettings = Annotated[
    NacSettings | RandomSettings | OpenEnded | FixedSettings | RemoteSettings | OneShotSettings | ZeroCostSettings,
    Field(discriminator="kind"),
]
