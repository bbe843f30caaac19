from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amla.spec import ops
from amla.spec.architecture import Architecture, Node
from amla.storage.replay import proposals
from amla.trials import record
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Outcome, Proposal, Trial, TrialId

NETWORK = Architecture((Node("x", ops.Input((2, 8))),))
FAILURE = Failure("crashed", "killed")


def proposal(budget: int = 1, start: TrialId | None = None) -> Proposal:
    return Proposal(NETWORK, budget, start=start)


def measured(accuracy: float = 0.5) -> Measurement:
    return Measurement({"accuracy": accuracy})


def asked(count: int) -> History:
    history = History()
    for budget in range(count):
        history = history.asked(proposal(budget))
    return history


class Plain:
    """A history as anybody would write it: two lists, copied."""

    def __init__(self, proposals: list[Proposal], told: list[tuple[TrialId, Outcome]]) -> None:
        self.proposals, self.told = proposals, told

    def check(self, history: History) -> None:
        outcomes = dict(self.told)
        trials = [Trial(i, proposal, outcomes.get(i)) for i, proposal in enumerate(self.proposals)]
        finished = [trials[i] for i, _ in self.told]
        assert list(history.trials) == trials
        assert [history[i] for i in range(len(history))] == trials
        assert list(history.finished) == finished
        assert list(history.done) == [trial for trial in finished if isinstance(trial.outcome, Measurement)]
        assert list(history.failed) == [trial for trial in finished if isinstance(trial.outcome, Failure)]
        assert list(history.running) == [trial for trial in trials if trial.is_running]
        assert (len(history), history.pending) == (len(trials), len(trials) - len(finished))
        assert history.replayed("all", list[Trial], list.append) == finished


@pytest.mark.parametrize("newest", [record.NEWEST, 1])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_every_history_is_right_whatever_others_grew_from_it(newest: int, data: st.DataObject):
    """Histories are appended to in any order, many times each; all stay right, packed or not."""
    with patch.object(record, "NEWEST", newest):
        check_growth(data)


def check_growth(data: st.DataObject) -> None:
    grown = [(History(), Plain([], []))]
    for number in range(data.draw(st.integers(1, 12), label="events")):
        history, plain = grown[data.draw(st.integers(0, len(grown) - 1), label="from")]
        running = [trial.id for trial in history.running]
        if running and data.draw(st.booleans(), label="tell"):
            trial_id = data.draw(st.sampled_from(running), label="trial")
            outcome = data.draw(st.sampled_from([measured(number), FAILURE]), label="outcome")
            grown.append((history.told(trial_id, outcome), Plain(plain.proposals, [*plain.told, (trial_id, outcome)])))
        else:
            grown.append((history.asked(proposal(number)), Plain([*plain.proposals, proposal(number)], plain.told)))
    for history, plain in grown:
        plain.check(history)


def test_appending_twice_to_a_history_gives_two():
    history = asked(2)
    one, other = history.told(0, measured(0.1)), history.told(1, measured(0.2))
    assert [trial.id for trial in one.done] == [0]
    assert [trial.id for trial in other.done] == [1]
    assert history.pending == 2
    assert [trial.id for trial in other.told(0, FAILURE).finished] == [1, 0]


def test_appending_takes_as_long_however_long_the_history(monkeypatch: pytest.MonkeyPatch):
    """Twenty thousand trials, and nothing is copied or searched through."""
    copies: list[History] = []
    monkeypatch.setattr(History, "_copied", lambda history: copies.append(history))
    history = asked(20_000)
    for trial_id in range(20_000):
        history = history.told(trial_id, FAILURE if trial_id % 3 else measured())
    assert not copies
    assert (len(history), len(history.done), len(history.failed), history.pending) == (20_000, 6_667, 13_333, 0)


def test_appending_something_else_copies_once_and_the_same_never(monkeypatch: pytest.MonkeyPatch):
    copied, copies = History._copied, []
    monkeypatch.setattr(History, "_copied", lambda history: copies.append(history) or copied(history))
    start = asked(10)
    first, same, other = start.asked(proposal()), start.asked(proposal()), start.asked(proposal(2))
    for number in range(10):
        first, same, other = (each.asked(proposal()).told(number, measured()) for each in (first, same, other))
    assert first == same
    assert first != other
    assert len(copies) == 1


def test_what_is_equal_in_networks_is_kept_once():
    """A history of 100,000 trials would not fit otherwise: each that is read has a network of its own."""

    def read(*more: Node) -> Proposal:
        text = proposals.dump_json(Proposal(Architecture((NETWORK.nodes[0], *more)), 1))
        return proposals.validate_json(text)

    pooled = Node("y", ops.GlobalPool(), ("x",))
    history = History().asked(read()).asked(read(pooled)).asked(read(pooled))
    one, two, three = (trial.proposal.architecture for trial in history.trials)
    assert two is three
    assert one.nodes[0] is two.nodes[0]
    assert list(history.trials) == [Trial(0, read()), Trial(1, read(pooled)), Trial(2, read(pooled))]
    assert two["y"] == pooled
    assert not two.is_open


def test_trials_finish_in_their_own_order():
    history = asked(3).told(2, measured()).told(0, FAILURE)
    assert [trial.id for trial in history.finished] == [2, 0]
    assert [trial.id for trial in history.running] == [1]
    assert not history[2].is_running


@pytest.mark.parametrize("trial_id", [-1, 2, 99])
def test_a_trial_never_asked_for_cannot_be_told(trial_id: TrialId):
    history = asked(2)
    with pytest.raises(ValueError, match=f"Trial {trial_id} was never asked for; there are 2"):
        history.told(trial_id, measured())
    assert history == asked(2)


@pytest.mark.parametrize("outcome", [measured(), FAILURE])
def test_a_trial_cannot_be_told_twice(outcome: Outcome):
    history = asked(2).told(1, outcome)
    with pytest.raises(ValueError, match="Trial 1 has already been told"):
        history.told(1, measured())
    assert history == asked(2).told(1, outcome)


@pytest.mark.parametrize("trial_id", [-1, 2])
def test_a_trial_that_does_not_exist_cannot_be_looked_up(trial_id: TrialId):
    with pytest.raises(IndexError, match=f"There is no trial {trial_id}; there are 2"):
        asked(2)[trial_id]


def test_views_are_sequences():
    history = asked(5)
    for trial_id in (3, 0, 4):
        history = history.told(trial_id, measured())
    assert history.done[-1].id == 4
    assert [trial.id for trial in history.done[:2]] == [3, 0]
    assert [trial.id for trial in history.done[::-1]] == [4, 0, 3]
    assert [trial.id for trial in history.trials[1:-1]] == [1, 2, 3]
    assert history.trials[-1].id == 4
    assert history[3] in history.done
    assert history[1] not in history.done
    for view in (history.done, history.failed, history.trials):
        with pytest.raises(IndexError):
            view[len(view)]
        with pytest.raises(IndexError):
            view[-len(view) - 1]


def test_a_view_does_not_grow():
    history = asked(2).told(0, measured())
    done, trials = history.done, history.trials
    history.told(1, measured()).asked(proposal())
    assert [trial.id for trial in done[:]] == [0]
    assert [trial.is_running for trial in trials] == [False, True]


def test_lineage_leads_to_the_first_leg():
    history = History().asked(proposal()).asked(proposal(start=0)).asked(proposal()).asked(proposal(start=1))
    assert [trial.id for trial in history.lineage(history[3])] == [3, 1, 0]
    assert [trial.id for trial in history.lineage(history[2])] == [2]


def test_equal_histories_have_the_same_trials_finished_in_the_same_order():
    history = asked(2)
    one = history.told(0, measured()).told(1, measured())
    other = history.told(1, measured()).told(0, measured())
    assert one != other
    assert one == asked(2).told(0, measured()).told(1, measured())
    assert one != history
    assert one != "a history"


def test_a_history_cannot_be_a_key():
    with pytest.raises(TypeError, match="unhashable"):
        hash(History())


def test_the_same_history_gives_the_same_randomness():
    one, other = asked(2).told(0, FAILURE), asked(2).told(0, FAILURE)
    assert one.rng(3).random() == other.rng(3).random() == one.rng(3).random()


def test_another_history_or_seed_gives_other_randomness():
    history = asked(2)
    histories = [asked(1), history, history.told(0, FAILURE), history.told(0, measured())]
    drawn = {its.rng(seed).random() for its in histories for seed in range(3)}
    assert len(drawn) == 12


def test_a_history_says_how_far_it_is():
    assert repr(asked(3).told(0, FAILURE).told(1, measured())) == "<History of 3: 1 done, 1 failed, 1 running>"


def test_a_replay_goes_on_from_where_it_was():
    seen: list[TrialId] = []

    def hear(state: list[TrialId], trial: Trial) -> None:
        seen.append(trial.id)
        state.append(trial.id)

    short = asked(3).told(2, measured()).told(0, measured())
    assert short.replayed("ids", list[TrialId], hear) == [2, 0]
    assert short.told(1, FAILURE).replayed("ids", list[TrialId], hear) == [2, 0, 1]
    assert seen == [2, 0, 1]
    assert short.replayed("ids", list[TrialId], hear) == [2, 0]
    assert short.replayed("others", list[TrialId], hear) == [2, 0]


def test_a_replay_that_broke_off_begins_anew():
    history = asked(2).told(0, measured()).told(1, FAILURE)

    def hear(state: list[TrialId], trial: Trial) -> None:
        state.append(trial.id)
        if broken and trial.id:
            raise RuntimeError

    broken = True
    with pytest.raises(RuntimeError):
        history.replayed("ids", list[TrialId], hear)
    broken = False
    assert history.replayed("ids", list[TrialId], hear) == [0, 1]


def test_a_branch_of_a_branch_has_no_more_real_trials():
    past = History().asked(proposal())
    branch = past.branch().asked(proposal())
    again = branch.branch().asked(proposal())
    assert (past.real, branch.real, again.real, len(again)) == (1, 1, 1, 3)
