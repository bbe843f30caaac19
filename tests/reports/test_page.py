"""The page needs nothing but itself, says what is known, and runs no text that it was given."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from json import loads

import pytest
from rating import rated
from searches import ENVELOPE, curve, grown, random

from amla.evidence.beside import Beside, Rated
from amla.reports.numbers import count
from amla.reports.page import render
from amla.reports.plots import joined
from amla.reports.report import Report, Verdict
from amla.spaces.envelope import envelope
from amla.spec.costs import costs
from amla.trials.history import History
from amla.trials.trial import Failure, Measurement, Proposal

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
VOID = {"meta", "br", "col"}


class Page(HTMLParser):
    """What a page holds; an end tag without its start is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.tags[-1][1].get("type"), data))
        elif self.open and self.open[-1] != "style":
            self.words += data

    @property
    def anchors(self) -> list[str]:
        return [attributes["id"] or "" for tag, attributes in self.tags if tag == "section"]


def whole() -> Report:
    history = grown(2, fails=(1,))
    return Report(
        name="digits",
        history=history,
        study="name: digits\nseed: 0\n",
        verdict=Verdict(0.983, 0.976, 0.988, 10_000),
        winner=2,
        final=history[2].proposal.architecture,
        final_seconds=3723.0,
        curves={"search/0": curve(0), "search/2": curve(2), "final/0": curve(0, 6000)},
        notices=["Three images occur twice."],
        environment={"Python": "3.11"},
        classes={"cat": (690, 1000), "dog": (750, 1000), "none": (0, 0)},
        template=ENVELOPE.space.template,
        run="runs/digits",
        files={"The network": "runs/digits/best.arch.json"},
    )


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(whole()))


def test_the_page_is_in_newspaper_order(page: Page) -> None:
    assert not page.open
    order = "network notices growth constructions curves cost worth failures classes study environment next"
    assert page.anchors == order.split()


def test_the_headline_is_the_result(page: Page) -> None:
    words = page.words.replace("\u202f", " ")
    parameters = count(costs(whole().history[2].proposal.architecture).parameters).replace("\u202f", " ")
    assert f"A network of {parameters} parameters gets 98.3 % of the test images right" in words
    assert "97.6–98.8 %" in words
    assert "10 000 images" in words
    assert "The final training took 1 h 2 min." in words
    assert "1 ran out of memory" in words


def test_everything_known_is_there(page: Page) -> None:
    for word in ("no room for 2 GiB", "Three images occur twice.", "seed: 0", "3.11", "amla show runs/digits"):
        assert word in page.words
    assert page.words.index("cat") < page.words.index("dog")  # the weakest first


def test_the_page_asks_the_network_for_nothing(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert not {"src", "srcset", "action", "data", "poster"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#")
    text = re.sub(r"<script>.*?</script>", "", render(whole()), flags=re.S)
    assert set(re.findall(r"https?://[^\"'<> ]*", text)) == {"http://www.w3.org/2000/svg"}  # a name, never fetched
    assert "url(" not in text
    assert "@import" not in text


def test_only_the_pages_own_scripts_may_run(page: Page) -> None:
    policy = next(a["content"] or "" for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    scripts = [text for kind, text in page.scripts if kind is None]
    assert [b64encode(sha256(script.encode()).digest()).decode() for script in scripts] == allowed
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_charts_are_specifications_beside_their_places(page: Page) -> None:
    specs = [loads(text) for kind, text in page.scripts if kind == "application/json"]
    assert len(specs) == 7
    assert all("$schema" not in spec and spec["description"] for spec in specs)


def test_what_scrolls_can_be_reached_by_keyboard(page: Page) -> None:
    regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
    assert regions
    assert all(attributes.get("tabindex") == "0" and attributes.get("aria-label") for attributes in regions)


def test_baselines_by_a_metric_without_an_interval_have_no_column_of_them() -> None:
    one, other = (Rated(name, reached, None, None, 1000, 20_000) for name, reached in (("found", -0.25), ("r", -3.0)))
    page = Page(render(replace(whole(), metric="r2", beside=Beside(one, (other,), 60, 12.0, "r2"))))
    assert "What was found is ahead: R² −0.25" in page.words
    assert "Validation R²" in page.words
    told = page.words[page.words.index("Was the search worth it?") :]
    assert "95" not in told[: told.index("−3")]


def test_hostile_texts_stay_texts() -> None:
    report = replace(
        whole(),
        name=HOSTILE,
        study=HOSTILE,
        notices=[HOSTILE, "\x00\x0b"],
        environment={HOSTILE: HOSTILE},
        classes={HOSTILE: (1, 2)},
        run=HOSTILE,
        files={HOSTILE: HOSTILE},
    )
    history = report.history.asked(report.history[0].proposal)
    page = Page(render(replace(report, history=history.told(len(history) - 1, Failure("crashed", HOSTILE)))))
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert len([text for kind, text in page.scripts if kind is None]) == 2
    assert page.words.count(HOSTILE) >= 8


def test_nothing_known_yet() -> None:
    page = Page(render(Report("empty", History())))
    assert "The search has not begun" in page.words
    assert page.anchors == []
    assert page.scripts == []  # no charts, no library


def test_the_first_construction_still_runs() -> None:
    page = Page(render(Report("first", History().asked(grown(0)[0].proposal))))
    assert "The first construction is in training" in page.words
    assert page.anchors == ["constructions"]


def test_only_failures() -> None:
    history = History().asked(grown(0)[0].proposal).told(0, Failure("diverged", "the loss is nan", 3.0))
    page = Page(render(Report("failed", history)))
    assert "Nothing could be measured: 1 construction failed" in page.words
    assert page.anchors == ["constructions", "failures"]


def test_a_search_that_still_runs_shows_the_best_so_far() -> None:
    page = Page(render(Report("running", grown(1).asked(grown(2)[2].proposal))))
    assert "Best so far: construction" in page.words
    assert "1 in training now" in page.words
    assert "growth" in page.anchors


def test_a_winner_without_final_training() -> None:
    page = Page(render(Report("chosen", grown(2), winner=1)))
    assert "The search chose construction 1" in page.words
    assert "It has not been trained to the end and tested yet." in page.words


def test_a_final_network_that_was_not_tested() -> None:
    history = grown(1)
    page = Page(render(Report("untested", history, winner=1, final=history[1].proposal.architecture)))
    assert "not tested yet" in page.words
    assert "The final network" in page.words


def test_unrelated_networks_have_no_growth() -> None:
    page = Page(render(Report("random", random(), winner=0)))
    assert "growth" not in page.anchors
    assert "Pruned, added" not in page.words


def test_open_networks_can_be_reported() -> None:
    history = History().asked(Proposal(ENVELOPE.space.template, 10))
    page = Page(render(Report("open", history, winner=0)))
    assert "network" in page.anchors
    assert "cost" not in page.anchors


def test_a_network_that_was_made_wider_is_said_to_be() -> None:
    assert "made wider" not in render(whole())
    space = envelope((3, 32, 32), 10, width=128, cells=(1,), max_cells=(2,)).space
    wide = space.close(space.fullest())
    after, before = (count(costs(network).macs) for network in (wide, whole().history[2].proposal.architecture))
    said = f"made wider for the final training: {after} instead of {before} multiply-accumulates"
    assert said in Page(render(replace(whole(), final=wide))).words


def test_the_legs_of_the_final_training_are_one_curve() -> None:
    first, failed, second = curve(0, 100), curve(1, 200)[:4], curve(2, 50)
    line = joined([first, failed, second])
    assert [told.step for told in line] == list(range(10, 151, 10))
    assert [told.loss for told in line] == [told.loss for told in (*first, *second)]
    assert joined([first, failed])[-1].step == 140
    assert joined([]) == []


def test_it_says_whether_the_search_was_worth_it():
    compared = Beside(rated("found", 0.9), (rated("random-1", 0.7), rated("plain-1-a-stage", 0.6)), 60, 12.0)
    page = Page(render(replace(whole(), beside=compared)))
    assert "beside" in page.anchors
    assert "The search was worth it: 90.0" in page.words
    assert "60 steps each, which took 12" in page.words
    assert "beside" not in Page(render(whole())).anchors


def test_it_tells_which_recipes_were_tried_and_which_was_the_best():
    tuning = History()
    for changes, accuracy in (({}, 0.6), ({"optimiser.rate": 0.25}, 0.8), ({"optimiser.rate": 0.5}, 0.7)):
        network = whole().history[0].proposal.architecture
        tuning = tuning.asked(Proposal(network, 40, recipe=changes)).told(
            len(tuning), Measurement({"accuracy": accuracy}, seconds=2.0)
        )
    page = Page(render(replace(whole(), tuning=tuning)))
    assert "recipe" in page.anchors
    assert "40 steps with each of these recipes, which took 6.0" in page.words
    told = page.words[page.words.index("Recipes, the best first") :]
    assert told.index("0.25") < told.index("0.5") < told.index("as it is")
    assert "recipe" not in Page(render(whole())).anchors
