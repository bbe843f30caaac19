"""NAC on EnvelopeNets (Kamath et al. 2018, Algorithm 1): train briefly, prune the weakest branches, grow, repeat.

Stage by stage, the branches of all its cells compete by a statistic of their feature maps, and so on as in
`amla.algorithms.pruning`. Pruned branches leave their channels to the others of their cell. Differences from the
released code: all branches are protected and compared, a quota of zero prunes nothing, skips are ranked by the norm of
what they add, and the recommendation is the best construction by validation rather than the last, untrained one.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, partial

from numpy.random import default_rng

from amla.algorithms.protocol import best, check_least
from amla.algorithms.pruning import Pruning, averaged, stability
from amla.algorithms.rounds import Construction, Round, fairest, rounds
from amla.spaces.envelope import Envelope
from amla.spec.architecture import Architecture
from amla.spec.digest import digest
from amla.trials.history import History
from amla.trials.trial import Failure, Proposal, Trial, TrialId

SKIP_NORM = "norm"  # of what a skip connection adds: the size of its learned scale times the norm of what it scales
PATIENCE = 3  # attempts at a construction whose training fails
DRAWS = 4  # prunings drawn for each candidate, as several may be the same
CACHED = 1024  # rounds whose candidates are remembered
Tried = tuple[Construction, ...]
FEWEST = 6  # windows before it is asked whether they agree


@dataclass(frozen=True)
class Nac:
    """Construct `iterations` networks from an EnvelopeNet, each from the statistics of the one before.

    Branches are ranked by the probe `statistic`, skips by `skip_statistic`. With `growing_only` a stage that is as deep
    as it may be is no longer pruned, as in the released code.

    A network is trained for `steps`, in as many legs of equal length as there are `windows`; what is pruned follows
    from the mean reading of the later half of them. With `stable` training ends early, once a share so large of what
    the windows prune is the same whichever of them are looked at (`amla.algorithms.pruning.stability`).

    With `candidates` each construction begins with several prunings, the first by the statistic and the others drawn
    from among twice as many of the weakest, or from all kinds if cells are kept alike; the first grows in every stage
    that may, the others in stages drawn. All train for one window, which may be the only one; that with the best metric
    goes on.

    With `alike` all cells keep the same kinds of branches, ranked by their mean rank in all cells of the network; new
    cells have the same.

    With `inherit` each network begins with what the last one has learned, so that the search is one training of
    `iterations` + 1 networks in which the network changes: its schedule spans them all, and suits if it is constant. A
    later construction has then trained longer, so it is the last one that is recommended.

    With `worst` the strongest branches leave instead of the weakest, the paper's worst case: what a statistic is worth
    is seen by it.

    In a space with constraints it begins with a smaller network where that EnvelopeNet is beyond them
    (`Envelope.beginning`), and grows as far as they allow. Raises ValueError for a number out of range.
    """

    envelope: Envelope
    steps: int = 300
    iterations: int = 5
    statistic: str = "taylor"
    quota: int = 6
    share: float = 1 / 3
    skip_share: float = 0.5
    skip_statistic: str = SKIP_NORM
    growing_only: bool = True
    alike: bool = False
    windows: int = 1
    stable: float | None = None
    candidates: int = 1
    inherit: bool = False
    worst: bool = False
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 1, "windows", "candidates")
        if self.stable is not None and not (0 < self.stable <= 1 and self.windows > FEWEST):
            raise ValueError(
                f"stable is {self.stable} and windows {self.windows}; it is a share, from 0 to 1, of what is pruned, "
                f"and is looked at from {FEWEST} windows on: say more than {FEWEST}."
            )

    def ask(self, history: History) -> Proposal | None:
        """Return the next leg, or None while one trains and once the search is over."""
        if history.pending:
            return None
        done = rounds(history, partial(self._settled, history))
        tried = done.pop().constructions if done and not done[-1].settled else ()
        if len(done) > self.iterations:
            return None
        if (candidate := self._candidate(history, done, tried)) is not None:
            start = done[-1].chosen.legs[-1].id if done and self.inherit else None
            return self._leg(candidate, 0, start, self._failures(history, done)[candidate])
        attempts = failures_since_done(history)
        if not tried or attempts >= PATIENCE:
            return None
        chosen = self._best_begun(tried)
        return self._leg(chosen.architecture, len(chosen.legs), chosen.legs[-1].id, attempts)

    def recommend(self, history: History) -> Architecture | None:
        """Return the construction with the best validation metric, after as many steps as all have trained."""
        if self.stable is not None and not self.inherit and (found := fairest(history, self.metric, FEWEST)):
            return found.architecture
        winner = best(history, self.metric)
        return winner.proposal.architecture if winner else None

    def why_ended(self, history: History) -> str | None:
        """Return why a search that is over has constructed fewer networks than it was to; None if it has all."""
        settled = sum(found.settled is not None for found in rounds(history, partial(self._settled, history)))
        if settled > self.iterations or history.pending or self.ask(history) is not None:
            return None
        return (
            f"after {max(0, settled - 1)} of {self.iterations} constructions nothing was left to construct; what "
            "pruning and growing lead to is the same network, beyond the limits, or failed to train."
        )

    def _settled(self, history: History, done: Sequence[Round], tried: Tried) -> Construction | None:
        """Return the construction that a round ends with, None while it goes on."""
        if self._candidate(history, done, tried) is not None:
            return None
        chosen = self._best_begun(tried)
        return chosen if self._is_settled(chosen) else None

    def _best_begun(self, tried: Tried) -> Construction:
        return max(tried, key=lambda found: (found.metric(self.metric, 1), -found.legs[0].id))

    def _candidate(self, history: History, done: Sequence[Round], tried: Tried) -> Architecture | None:
        """Return the next network of a round that has not been trained yet, None if there is none."""
        if len(tried) >= self.candidates:
            return None
        failures = self._failures(history, done)
        known = {construction.architecture for construction in tried}
        given_up = {network for network, count in failures.items() if count >= PATIENCE}
        refused = {trial.proposal.architecture for trial in history.failed if _is_certain(trial)}
        candidates = self._known_candidates(done, given_up, refused)
        return next((network for network in candidates if network not in known), None)

    def _failures(self, history: History, done: Sequence[Round]) -> Counter[Architecture]:
        """Return how often the training of each network has failed since the last round; often enough if it is sure."""
        last = done[-1].chosen.legs[-1].id if done else -1
        failed = Counter[Architecture]()
        for trial in history.failed:
            if trial.id > last:
                failed[trial.proposal.architecture] += PATIENCE if _is_certain(trial) else 1
        return failed

    def _known_candidates(
        self, done: Sequence[Round], given_up: Set[Architecture], refused: Set[Architecture]
    ) -> tuple[Architecture, ...]:
        """Return what `_candidates` yields; each ask reads all rounds anew, and would otherwise prune all of them."""
        legs = done[-1].chosen.legs if done else ()
        key = len(done), frozenset(given_up), frozenset(refused), tuple(map(id, legs))
        if key not in self._cache:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            # the legs are kept, so that no others have their ids
            self._cache[key] = legs, tuple(self._candidates(done, given_up, refused))
        return self._cache[key][1]

    @cached_property
    def _cache(self) -> dict[object, tuple[tuple[Trial, ...], tuple[Architecture, ...]]]:
        """A cache, of what follows from the legs of a network: never the only copy of anything."""
        return {}

    def _candidates(
        self, done: Sequence[Round], given_up: Container[Architecture], refused: Container[Architecture]
    ) -> Iterator[Architecture]:
        """Yield the networks that may come next; one that grew and cannot be trained is tried without that.

        Where the first one was refused, and would be again, it is a smaller one.
        """
        space, pruning = self.envelope.space, self.pruning
        if not done:
            beginning = self.envelope.beginning(refused)
            if beginning is not None and (first := space.close(beginning)) not in given_up:
                yield first
            return
        last = done[-1].chosen
        kept, worth = space.read(last.architecture), averaged(last.windows(self.statistic))
        scales = averaged(last.windows(self.skip_statistic))
        rng, found = default_rng((self.seed, len(done))), set[str]()
        for draw in range(1 if self.candidates == 1 else DRAWS * self.candidates):
            readings = pruning.nearby(kept, worth, rng) if draw else worth
            growing = pruning.some_growing(kept, rng) if draw else None
            pruned = pruning.pruned(kept, readings, scales)
            for decisions in (pruning.grown(kept, pruned, growing), pruned):
                child = space.close(decisions)
                if child != last.architecture and space.accepts(child) and child not in given_up:
                    break
            else:
                continue
            if (isomorphic := digest(child)) not in found:
                found.add(isomorphic)
                yield child
            if len(found) == self.candidates:
                return

    def _leg(self, architecture: Architecture, number: int, start: TrialId | None, attempts: int) -> Proposal:
        """Return a leg of a construction: the first, from the weights of another one or none, or a later one."""
        kept = self.envelope.space.read(architecture)
        cells = self.pruning.cells(kept)
        skips = tuple(skip for cell in cells if cell.skips for skip in kept[cell.skips][1:])
        probes = {self.statistic: tuple(branch for cell in cells for branch in kept[cell.branches])}
        if skips:
            probes[self.skip_statistic] = (*probes.get(self.skip_statistic, ()), *skips)
        ends = [self.steps * count // self._windows for count in (number, number + 1)]
        horizon = self.steps * (self.iterations + 1 if self.inherit else 1)
        return Proposal(
            architecture,
            ends[1] - ends[0],
            start=start,
            probes=probes,
            horizon=horizon if self.inherit or self.windows > 1 else None,
            seed=self.seed + attempts,
            keep=self.inherit or self.windows > 1,
        )

    def _is_settled(self, construction: Construction) -> bool:
        """Whether a construction has trained enough: to the end, or until its windows agree on what they prune."""
        legs = len(construction.legs)
        if legs >= self._windows:
            return True
        if self.stable is None or legs < FEWEST:
            return False
        kept = self.envelope.space.read(construction.architecture)
        leaving = partial(self.pruning.leaving, kept)
        windows = construction.windows(self.statistic)
        return stability(windows, leaving, default_rng((self.seed, construction.legs[-1].id))) >= self.stable

    @property
    def _windows(self) -> int:
        return min(self.windows, self.steps)

    @cached_property
    def pruning(self) -> Pruning:
        """The rules by which it prunes and grows."""
        return Pruning(
            self.envelope, self.quota, self.share, self.skip_share, self.growing_only, self.alike, self.worst
        )


def _is_certain(trial: Trial) -> bool:
    """Whether a network that was refused would be refused again."""
    return isinstance(trial.outcome, Failure) and trial.outcome.reason == "infeasible"


def failures_since_done(history: History) -> int:
    """Return how many trials failed after the last one that was done."""
    last = history.done[-1].id if history.done else -1
    return sum(trial.id > last for trial in history.failed)
