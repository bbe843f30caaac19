"""What is shown while a search runs: of every event a line that fits, in a terminal and in a pipe."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from amla.cli.live import PLAIN_SECONDS, LiveListener, PlainListener
from amla.spaces.envelope import envelope
from amla.spec.costs import costs, training_flops
from amla.study.arrangement import Arranged
from amla.study.forecast import Expected, Forecast
from amla.study.resolve import FINAL, REHEARSAL, SEARCH
from amla.study.run import Limit
from amla.study.settings.places import Torch
from amla.study.settings.searches import FixedSettings, NacSettings, RandomSettings, RunOffSettings
from amla.study.study import Data, Final, Study
from amla.study.tempo import Tempo
from amla.study.timing import Arrangement, Timing
from amla.trials.history import History
from amla.trials.progress import Progress
from amla.trials.trial import Cost, Failure, Measurement, Proposal

SPACE = envelope((1, 8, 8), 2, width=6, cells=(1,), max_cells=(2,))
NETWORK = SPACE.space.close(SPACE.initial())
MACS = costs(NETWORK).macs
NAC = Study("x", Data("x"), algorithm=NacSettings(4, 300), final=Final(20_000))
PHASES = {
    SEARCH: Expected(float(training_flops(MACS, 64 * 300 * 5)), 300 * 5),
    FINAL: Expected(float(training_flops(MACS, 64 * 20_000)), 20_000),
}
EXPECTED = Forecast(PHASES)
TEMPO = Tempo(0.01, 1e9)
FORETOLD = Forecast({name: replace(p, seconds=TEMPO.seconds(p.flops, p.steps)) for name, p in PHASES.items()}, TEMPO)
METRICS = {"parameters": 5270.0, "macs": 134e3, "accuracy": 0.981, "examples": 359.0}


class Clock:
    """A clock that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def trial(number: int, outcome: Measurement | Failure | None = None, budget: int = 300):
    history = History()
    for _ in range(number + 1):
        history = history.asked(Proposal(NETWORK, budget))
    return (history.told(number, outcome) if outcome else history)[number]


def line(number: int, step: int, budget: int = 300, loss: float = 0.688) -> Progress:
    return Progress(number, step, budget, loss, 0.747, 0.1, step / 10)


def measured() -> Measurement:
    return Measurement(METRICS, seconds=30.0, cost=Cost("cpu", float(training_flops(MACS, 64 * 300))))


def heard(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class TestPlain:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def pipe(self) -> Console:
        return Console(file=io.StringIO(), width=80, highlight=False, emoji=False)

    @pytest.fixture
    def listener(self, pipe: Console, clock: Clock) -> PlainListener:
        listener = PlainListener(pipe, NAC, 1295, clock)
        listener.expects(lambda: EXPECTED)
        assert re.fullmatch(r"it takes 412\sG operations at most, 93\s% of them in the final training\n", heard(pipe))
        pipe.file = io.StringIO()
        listener.begins(SEARCH, History())
        return listener

    def test_how_long_it_takes_is_told_where_it_was_found_out(self, listener, pipe):
        listener.expects(lambda: FORETOLD)
        assert re.fullmatch(
            r"it takes about 10\smin 30\ss at most on this machine, 93\s% of that in the final training "
            r"\(412\sG operations\)",
            " ".join(heard(pipe).split("\n")).strip(),
        )

    @pytest.mark.parametrize(
        ("study", "said"),
        [
            (replace(NAC, limit=Limit(seconds=600.0), final=Final()), "it takes 10\u202fmin at most\n"),
            (
                replace(NAC, limit=Limit(seconds=600.0, clock="cpu"), final=Final()),
                "it takes 10\u202fmin of CPU time at most\n",
            ),
            (replace(NAC, limit=Limit(seconds=600.0)), ""),  # of the final training that says nothing
            (NAC, ""),
        ],
    )
    def test_a_limit_that_bounds_all_is_told_before_anything_is_trained(self, pipe, study, said):
        PlainListener(pipe, study, 1295).arranged(Arranged(Arrangement(1, 1), Arrangement(1, 1)))
        assert heard(pipe) == said
        pipe.file = io.StringIO()
        PlainListener(pipe, study, 1295).expects(lambda: EXPECTED)
        assert bool(heard(pipe)) == (not said)

    def test_a_trial_gets_a_line_now_and_then_and_one_when_it_is_over(self, listener, pipe, clock):
        with listener:
            listener.asked(SEARCH, trial(0))
            for step in range(10, 301, 10):
                clock.now = step / 10
                listener.progress(SEARCH, line(0, step))
            listener.told(SEARCH, trial(0, measured()))
        *during, last = pipe.file.getvalue().splitlines()
        assert len(during) == 30 / PLAIN_SECONDS
        assert re.fullmatch(
            r"  construction 0 of 4  step 100/300  loss 0\.688  accuracy 74\.7\s%  ETA 35\smin 40\ss", during[0]
        )
        assert re.fullmatch(r"construction 0 of 4: 5\.27\sk params, 134\sk MACs, validation 98\.1\s%, 30\ss", last)

    def test_nothing_is_printed_of_a_search_that_begins_and_what_was_done_of_one_that_goes_on(self, listener, pipe):
        assert pipe.file.getvalue() == ""
        history = History().asked(Proposal(NETWORK, 300)).told(0, measured())
        PlainListener(pipe, NAC, 1295).begins(SEARCH, history)
        assert pipe.file.getvalue() == "going on with the search: 1 trial of it done before\n"

    def test_the_second_part_of_a_phase_does_not_go_on_with_what_was_done_before(self, listener, pipe):
        listener.begins(REHEARSAL, History())
        listener.begins(SEARCH, History())
        listener.begins(REHEARSAL, History().asked(Proposal(NETWORK, 300)).told(0, measured()))
        assert pipe.file.getvalue() == ""

    @pytest.mark.parametrize(
        ("search", "final", "said"),
        [
            ((1, 1), (1, 1), "training with 1 thread: 18 steps/s, 1.8× of 1 × 2"),
            ((1, 2), (1, 2), "training with 2 threads: 10 steps/s"),
            (
                (2, 1),
                (1, 2),
                "searching with 2 workers × 1 thread: 17 steps/s, 1.7× of 1 × 2; "
                "final training with 2 threads: 10 steps/s",
            ),
        ],
    )
    def test_how_it_is_arranged_is_said_with_the_figures(self, listener, pipe, search, final, said):
        arrangements = Arrangement(1, 2), Arrangement(2, 1), Arrangement(1, 1)
        timings = tuple(Timing(a, steps) for a, steps in zip(arrangements, (10.0, 17.0, 18.0), strict=True))
        listener.times(arrangements)
        listener.arranged(Arranged(Arrangement(*search), Arrangement(*final), timings))
        first, second = pipe.file.getvalue().splitlines()
        assert first.endswith(": 1 × 2, 2 × 1, 1 × 1")
        assert second == said

    def test_nothing_is_said_of_an_arrangement_without_a_choice(self, listener, pipe):
        listener.arranged(Arranged(Arrangement(1, 1), Arrangement(1, 1)))
        assert pipe.file.getvalue() == ""

    def test_a_construction_that_failed_is_tried_again_under_its_number(self, listener, pipe):
        for number in range(2):
            listener.asked(SEARCH, trial(number))
            listener.told(SEARCH, trial(number, Failure("diverged", "loss is [/nan]", 1.0)))
        listener.asked(SEARCH, trial(2))
        listener.told(SEARCH, trial(2, measured()))
        first, second, third = pipe.file.getvalue().splitlines()
        assert first == second == "construction 0 of 4 failed (diverged): loss is [/nan]"
        assert third.startswith("construction 0 of 4: ")

    def test_a_loss_that_is_no_number_is_shown(self, listener, pipe, clock):
        listener.asked(SEARCH, trial(0))
        clock.now = 60.0
        listener.progress(SEARCH, replace(line(0, 10, loss=float("nan")), accuracy=float("nan")))
        assert "loss nan  accuracy –" in pipe.file.getvalue()

    @pytest.mark.parametrize(
        ("study", "phase", "called"),
        [
            (replace(NAC, algorithm=RandomSettings(9, 300)), SEARCH, "random network 2 of 9"),
            (
                replace(NAC, algorithm=RandomSettings(9, 300), run_off=RunOffSettings(2)),
                SEARCH,
                "random network 2 of 11",
            ),
            (replace(NAC, algorithm=NacSettings(4, 300, candidates=3)), SEARCH, "network 2 of 13 at most"),
            (replace(NAC, algorithm=NacSettings(4, 300, windows=2, candidates=3)), SEARCH, "leg 2 of 18 at most"),
            (replace(NAC, run_off=RunOffSettings(3)), SEARCH, "network 2 of 8 at most"),
            (replace(NAC, algorithm=FixedSettings(("a", "b"), 300)), SEARCH, "network 2 of 2"),
            (NAC, REHEARSAL, "rehearsal"),
            (NAC, FINAL, "final training"),
            (replace(NAC, backend=Torch(devices=2)), FINAL, "final training on 2 devices"),
        ],
    )
    def test_every_trial_is_called_what_it_is(self, study, phase, called, pipe):
        listener = PlainListener(pipe, study, 1295)
        listener.begins(phase, History())
        listener.asked(phase, trial(1))
        listener.told(phase, trial(1, measured()))
        assert pipe.file.getvalue().startswith(f"{called}: ")

    def test_the_test_is_called_so(self, listener, pipe):
        listener.begins(FINAL, History())
        listener.asked(FINAL, trial(0, budget=0))
        listener.told(FINAL, trial(0, measured(), budget=0))
        assert re.fullmatch(r"test accuracy 98\.1\s%, 30\ss\n", pipe.file.getvalue())


class TestLive:
    @pytest.mark.parametrize("width", [80, 120])
    def test_it_shows_iteration_step_loss_accuracy_and_eta_on_lines_that_fit(self, width: int):
        shown = self.shown(width)
        status = next(text for text in shown if "step 200/300" in text)
        assert re.search(r"construction 0 of 4  step 200/300  loss 0\.688  accuracy 74\.7\s%", status)
        assert any(re.search(r"\d+%  ETA \d+\smin", text) for text in shown)
        assert all(len(text) <= width for text in shown)
        assert not any("…" in text for text in shown)

    def test_the_longest_line_fits_80_columns(self):
        longest = line(0, 10_000, 20_000, loss=12.345)
        study = replace(NAC, algorithm=RandomSettings(100, 300))
        shown = self.shown(80, study, replace(longest, accuracy=1.0))
        assert any(re.search(r"step 10000/20000  loss 12\.345  accuracy 100\.0\s%", text) for text in shown)

    def test_a_terminal_too_narrow_for_it_gets_what_fits(self):
        assert all(len(text) <= 30 for text in self.shown(30))

    def test_it_goes_away_and_leaves_a_line_for_each_trial(self):
        shown = self.shown(80)
        assert sum("validation 98" in text for text in shown) == 1

    def test_what_is_foretold_stands_there_before_the_first_line(self):
        terminal = Console(file=io.StringIO(), width=80, height=30, force_terminal=True, color_system=None)
        with LiveListener(terminal, NAC, 1295) as listener:
            listener.expects(lambda: FORETOLD)
            listener.begins(SEARCH, History())
            listener.asked(SEARCH, trial(0))
            listener._live.refresh()
        assert re.search(r"0%  ETA 10\smin 27\ss", terminal.file.getvalue())

    def shown(self, width: int, study: Study = NAC, last: Progress | None = None) -> list[str]:
        """Return what appears in a terminal, line after line, of a search with one trial."""
        terminal = Console(
            file=io.StringIO(), width=width, height=30, force_terminal=True, highlight=False, color_system=None
        )
        listener = LiveListener(terminal, study, 1295)
        with listener:
            listener.expects(lambda: EXPECTED)
            listener.begins(SEARCH, History())
            listener.asked(SEARCH, trial(0))
            listener.progress(SEARCH, line(0, 100))
            listener.progress(SEARCH, last or line(0, 200))
            listener._live.refresh()
            listener.told(SEARCH, trial(0, measured()))
        assert isinstance(terminal.file, io.StringIO)
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.file.getvalue())
        return [text for text in re.split(r"[\r\n]+", plain) if text]
