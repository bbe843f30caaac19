"""Which operations the networks of a search have where its space leaves a choice of them: what tells them apart."""

from amla.spaces.space import Space, SpaceError
from amla.spec.architecture import Architecture, NodeId
from amla.spec.costs import shapes
from amla.spec.values import SpecError
from amla.study.settings.spaces import EnvelopeSettings
from amla.study.spaces import space_of
from amla.study.study import Study, StudyError
from amla.trials.history import History
from amla.trials.trial import TrialId

Operations = tuple[str, ...]  # by gene, in the order of the template


def operations(study: Study, history: History) -> dict[TrialId, Operations]:
    """Return the operations of the closed networks of a history, as far as they are of the study's space.

    Nothing of EnvelopeNets, whose branches and cells say more, nor of a space that cannot be made any more.
    """
    if isinstance(study.space, EnvelopeSettings) or not history.trials:
        return {}
    try:
        space = _space(study, history.trials[0].proposal.architecture)
    except (SpecError, StudyError, SpaceError, OSError):  # such as a template whose file is gone
        return {}
    found = dict[TrialId, Operations]()
    for trial in history.trials:
        if not trial.proposal.architecture.is_open and (chosen := _chosen(space, trial.proposal.architecture)):
            found[trial.id] = chosen
    return found


def _space(study: Study, network: Architecture) -> Space:
    (classes,) = shapes(network)[network.output.id]
    return space_of(study.space, network.shape, classes).space


def _chosen(space: Space, network: Architecture) -> Operations:
    try:
        decisions = space.read(network)
    except SpecError:  # a guest from elsewhere
        return ()
    return tuple(
        "+".join(kept.removeprefix(f"{gene}/") for kept in decisions[gene])
        for gene in space.genes
        if gene in decisions and _is_of_operations(space, gene)
    )


def _is_of_operations(space: Space, gene: NodeId) -> bool:
    """Whether a gene chooses among its own branches, not among what other nodes come to."""
    inputs = space.template[gene].inputs
    return len(inputs) > 1 and all(name.startswith(f"{gene}/") and name not in space.template.picks for name in inputs)
