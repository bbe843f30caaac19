"""ENAS (Pham et al. 2018): a policy draws the path of every training step, and learns from how paths then score.

The policy is not a recurrent network, as in the paper, but a table: a logit for each input of each gene. It is
nowhere stored: it is what REINFORCE makes of the scores in the history.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amla.algorithms.legs import Legs, legs
from amla.algorithms.protocol import check_least
from amla.algorithms.sharing import draw, scores
from amla.spaces.paths import genes, score_function
from amla.spaces.space import Space
from amla.spec.architecture import Architecture, NodeId
from amla.trials.history import History
from amla.trials.trial import Logits, Proposal, SamplePaths


@dataclass(frozen=True)
class Enas:
    """Train for `steps` in so many `legs`; after each, `paths` are drawn by the policy and scored, and it moves.

    A path is scored on `examples` held out (None: on all). One whose metric is by a above the baseline moves the
    logits by `rate` * a along the gradient of its log-probability (there, section 2.2; Williams 1992). The baseline is
    a moving average of metrics that keeps the share `memory` at each path.
    """

    space: Space
    steps: int
    legs: int = 30
    paths: int = 20
    examples: int | None = None
    rate: float = 1.0
    memory: float = 0.95
    seed: int = 0
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_least(self, 1, "steps", "legs", "paths")

    def ask(self, history: History) -> Proposal | None:
        """Return the next leg, its paths drawn by the policy so far, or None while one trains and after the last."""
        found = legs(history)
        if not found.ready or (left := self.steps - found.steps) <= 0:
            return None
        logits = self.policy(found)
        drawn = draw(self.space, np.random.default_rng((self.seed, len(found.done))), logits, self.paths)
        if not drawn:
            return None
        method = SamplePaths(drawn, logits, self.examples, self.space.tied)
        budget = min(left, -(-self.steps // self.legs))
        return Proposal(self.space.template, budget, method, found.last, horizon=self.steps, seed=self.seed)

    def recommend(self, history: History) -> Architecture | None:
        """Return the best of the paths that the last leg scored, by the weights that were trained longest."""
        found = max(scores(self.metric, *legs(history).done[-1:]), key=lambda pair: pair[1], default=None)
        return self.space.close(found[0]) if found else None

    def policy(self, found: Legs) -> Logits:
        """Return the logits after all scores so far, of a policy that began with even chances."""
        template = self.space.template
        logits: dict[NodeId, NDArray[np.float64]] = {
            gene: np.zeros(len(template[gene].inputs) - template.picks[gene].fixed)
            for gene in genes(template, self.space.tied)
        }
        baseline: float | None = None
        for leg in found.done:
            drawn_by: Logits = {gene: tuple(values.tolist()) for gene, values in logits.items()}
            for path, reached in scores(self.metric, leg):
                above = reached - (reached if baseline is None else baseline)
                for gene in logits:
                    logits[gene] += self.rate * above * np.array(score_function(template, gene, path[gene], drawn_by))
                baseline = reached if baseline is None else self.memory * baseline + (1 - self.memory) * reached
        return {gene: tuple(values.tolist()) for gene, values in logits.items()}
