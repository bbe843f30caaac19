"""NAC as it was published and released in 2018: construct, train for a while, construct again; keep the last network.

The rules of one construction are those of `amla.algorithms.construct`; here is the loop around them (Algorithm 1). Each
network is trained from new weights for a fixed number of steps, and the next one follows from what was measured in it,
so the state of a search is its history, replayed. As the paper does, and unlike `amla.algorithms.nac`, both algorithms
stand behind their last network, whatever was measured of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from amla.algorithms.construct import (
    ConstructionError,
    Rules,
    Scales,
    Statistics,
    construct,
    constructed,
    drawn,
    initial,
)
from amla.algorithms.nac import PATIENCE, failures_since_done
from amla.spaces.macro import Frame, branches, skips
from amla.spec.architecture import Architecture, NodeId
from amla.spec.macro import Macro
from amla.spec.values import SpecError
from amla.trials.history import History
from amla.trials.trial import Measurement, Proposal, Table

Key = TypeVar("Key")

DRAWS = 100  # at most, until a random network has a channel for each of its branches
SKIP_SCALE = "scale_signed"  # the probe that reads the learned number of a skip, as the released code ranked them


@dataclass(frozen=True)
class PaperNac:
    """Construct a network `iterations` times, each time from the statistics of the one before.

    The first one is the EnvelopeNet of the rules. AMLA trains as many networks as there are iterations, and the
    EnvelopeNets repository one more; both construct once more from the last one, and do not train that. So the search
    recommends a network that it has not trained; the final training is its first. Where the rules cannot construct
    a network, the search is over, and the last one that was trained is recommended; `why_ended` says why.
    """

    frame: Frame
    rules: Rules
    steps: int = 300
    iterations: int = 5
    statistic: str = "msss"
    seed: int = 0

    def ask(self, history: History) -> Proposal | None:
        """Return the next construction, or None while one trains and once the search is over."""
        attempts = failures_since_done(history)
        if history.pending or len(history.done) >= trainings(self.rules, self.iterations) or attempts >= PATIENCE:
            return None
        macro, architecture, _ = self._next(history)
        return self._proposal(macro, architecture, attempts) if macro and architecture else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the network constructed last; the last one that was trained, if that one failed or there is none."""
        if not history.done:
            return None
        trained = history.done[-1].proposal.architecture
        return trained if failures_since_done(history) >= PATIENCE else self._next(history)[1] or trained

    def why_ended(self, history: History) -> str | None:
        """Return why nothing could be constructed from the last network trained, or None if something could."""
        return self._next(history)[2]

    def _next(self, history: History) -> tuple[Macro | None, Architecture | None, str | None]:
        """Return what follows the last trial done, the search replayed from its beginning; or why nothing does."""
        try:
            macro = initial(self.rules)
            for trial in history.done:
                macro = construct(macro, *self._measured(macro, trial.measurement), self.rules)
            return macro, self.frame.network(macro), None
        except (ConstructionError, SpecError) as error:
            return None, None, f"construction {len(history.done)}: {error}"

    def _measured(self, macro: Macro, measurement: Measurement) -> tuple[Statistics, Scales]:
        worth = _by(branches(macro), measurement.statistics.get(self.statistic, {}))
        return worth, _by(skips(macro), measurement.statistics.get(SKIP_SCALE, {}))

    def _proposal(self, macro: Macro, architecture: Architecture, attempt: int) -> Proposal:
        scaled = tuple(skips(macro).values())
        probes = {self.statistic: tuple(branches(macro).values())} | ({SKIP_SCALE: scaled} if scaled else {})
        return Proposal(architecture, self.steps, probes=probes, seed=self.seed + attempt, keep=False)


@dataclass(frozen=True)
class PaperRandom:
    """The yardstick of the paper's figure 3: random networks, as many and as large as `PaperNac` with these rules.

    Each has the depth, and in each stage the number of branches, of the network that `PaperNac` ends with. They have
    nothing to do with one another; the one drawn last is recommended, as any other could be. Raises ConstructionError
    where `PaperNac` would not come to its end.
    """

    frame: Frame
    rules: Rules
    steps: int = 300
    iterations: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        constructed(self.rules, trainings(self.rules, self.iterations))

    def ask(self, history: History) -> Proposal | None:
        """Return the next network, or None while one trains and once there are as many as there should be."""
        attempts = failures_since_done(history)
        if history.pending or len(history.done) >= trainings(self.rules, self.iterations) or attempts >= PATIENCE:
            return None
        architecture, _ = self._drawn(history)
        return Proposal(architecture, self.steps, seed=self.seed + attempts, keep=False) if architecture else None

    def recommend(self, history: History) -> Architecture | None:
        """Return the last network that was trained."""
        return history.done[-1].proposal.architecture if history.done else None

    def why_ended(self, history: History) -> str | None:
        """Return why no further network could be drawn, or None if one could, or there are enough."""
        over = len(history.done) >= trainings(self.rules, self.iterations)
        return None if over else self._drawn(history)[1]

    def _drawn(self, history: History) -> tuple[Architecture | None, str | None]:
        """Return a network that can be built, drawn again as long as one cannot; or why none was found."""
        sizes, rng = constructed(self.rules, trainings(self.rules, self.iterations)), history.rng(self.seed)
        why = ""
        for _ in range(DRAWS):
            try:
                return self.frame.network(drawn(self.rules, sizes, rng)), None
            except SpecError as error:
                why = str(error)
        return None, f"none of {DRAWS} networks drawn can be built, the last one since {why}"


def trainings(rules: Rules, iterations: int) -> int:
    """Return how many networks a search trains."""
    return iterations + (rules.dialect == "env")


def _by(addresses: Mapping[Key, NodeId], readings: Table) -> dict[Key, float]:
    """Return readings by what they are of, in the order of the network: the order in which they were first read."""
    return {key: readings[address] for key, address in addresses.items() if address in readings}
