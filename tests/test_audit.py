"""The audit sees what it is there for, and says when it saw nothing."""

from email.message import Message
from typing import Any

import audit
import pytest


def said(*licences: tuple[str, str]) -> Message:
    message = Message()
    for name, text in licences:
        message[name] = text
    return message


def classified(*names: str) -> Message:
    return said(*(("Classifier", f"License :: OSI Approved :: {name}") for name in names))


def answer(*vulnerable: str, **more: Any) -> list[dict[str, Any]]:
    vulns = [{"id": each, "aliases": ["CVE-1"], "fix_versions": ["2"]} for each in vulnerable]
    return [{"name": "left-pad", "version": "1", "vulns": vulns, **more}]


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2.*", "-e .", "git+https://host/x", "x==1; extra"])
def test_what_pins_no_version_is_told(line: str):
    locked, wrong = audit.pins(["# a comment", "", "Some_Thing==1.0.post1", line])
    assert locked == {"some-thing": "1.0.post1"}
    assert len(wrong) == 1
    assert repr(line) in wrong[0]


def test_what_is_installed_must_be_what_is_locked():
    locked = {"torch": "2.13.0", "numpy": "2.4.6"}
    assert audit.unlocked({"torch": "2.13.0+cpu", "numpy": "2.4.6", "nvidia-cublas": "1"}, locked) == []
    wrong = audit.unlocked({"torch": "2.12.0", "stray": "1"}, locked)
    assert [line.split()[0] for line in wrong] == ["stray", "torch"]


def test_what_is_needed_is_found_through_extras():
    needed = audit.closure("amla[postgres]")
    assert {"numpy", "psycopg", "psycopg-binary", "annotated-types"} <= needed.keys()
    assert "torch" not in needed


@pytest.mark.parametrize(
    "metadata",
    [
        said(("License-Expression", "(Apache-2.0 OR GPL-3.0-only)")),
        said(("License-Expression", "BSD-3-Clause AND 0BSD AND MIT")),
        said(("License-Expression", "GPL-2.0-only OR MIT")),
        said(("License", "Apache 2.0")),
        classified("BSD License"),
    ],
)
def test_usual_licences_are_allowed(metadata: Message):
    assert audit.unlicensed("x", metadata) is None


@pytest.mark.parametrize(
    "metadata",
    [
        said(("License-Expression", "AGPL-3.0-only")),
        said(("License-Expression", "MIT AND GPL-3.0-or-later")),
        said(("License-Expression", "LGPL-3.0-only")),
        said(("License", "see the file")),
        classified("MIT License", "GNU General Public License v3 (GPLv3)"),
        said(),
    ],
)
def test_other_licences_and_none_are_told(metadata: Message):
    assert "x has the licence" in (audit.unlicensed("x", metadata) or "")


def test_a_known_vulnerability_is_told(monkeypatch: pytest.MonkeyPatch):
    count, told = audit.vulnerabilities(lambda service: answer("GHSA-1") if service == "pypi" else [])
    assert count == 1
    assert told == ["left-pad 1 has the vulnerability GHSA-1; fixed in 2."]
    monkeypatch.setattr(audit, "IGNORED", {"CVE-1": "not used"})
    assert audit.vulnerabilities(lambda _: answer("GHSA-1")) == (1, [])


def test_a_service_that_knows_nothing_audits_nothing():
    asked: list[str] = []

    def unknown(service: str) -> list[dict[str, Any]]:
        asked.append(service)
        return answer(skip_reason="not found")

    assert audit.vulnerabilities(unknown) == (0, [])
    assert asked == ["pypi", "osv"]


def test_that_nothing_was_audited_is_said_loudly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(audit, "asked", lambda _: [])
    audit.main()
    assert "NOTHING WAS AUDITED" in capsys.readouterr().out


def test_a_vulnerability_fails_the_build(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "asked", lambda _: answer("GHSA-1"))
    with pytest.raises(SystemExit, match="GHSA-1"):
        audit.main()
