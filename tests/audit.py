"""Fails if a dependency is not the locked one, has a licence nobody agreed to, or has a known vulnerability.

Looked at is all that amla and its tests need, directly or not, as it is installed. The first two are found offline.
Vulnerabilities are asked of PyPI, then of OSV; where neither answers, nothing is audited, which is said and no failure.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parents[1]
LOCK = HERE / "requirements.lock"
ROOT = "amla[torch,datasets,test]"  # what the tests are run with
NOT_LOCKED = re.compile(r"pip|setuptools|nvidia-.*|cuda-.*|triton|colorama")  # of the venv, or of some machines alone
ALLOWED = {
    *("MIT", "MIT-0", "MIT-CMU", "HPND", "ISC", "0BSD", "Zlib", "CC0-1.0", "BSL-1.0", "Unlicense", "PSF-2.0"),
    "Public Domain",
    *("BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Python-2.0"),
    "MPL-2.0",  # asks for the source of its own files alone
}
ALLOWED_FOR = {
    "psycopg": "LGPL-3.0-only",  # a library, imported and not changed
    "psycopg-binary": "LGPL-3.0-only",
    "docutils": "GPL",  # of its mode for Emacs alone, which is not among what is installed
}
LOOSE = {  # as older packages write them
    "MIT License": "MIT",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU General Public License (GPL)": "GPL",
}
IGNORED: Mapping[str, str] = {}  # vulnerabilities by id, each with the reason why it does not concern amla
SECONDS = 90.0  # that asking a service may take
SERVICES = "pypi", "osv"


def main() -> None:
    locked, unpinned = pins(LOCK.read_text(encoding="utf-8").splitlines())
    needed = closure(ROOT)
    problems = [
        *unpinned,
        *unlocked(needed, locked),
        *(problem for name in sorted(needed) if (problem := unlicensed(name, metadata.metadata(name)))),
    ]
    audited, vulnerable = vulnerabilities(asked)
    if audited:
        print(f"audited for known vulnerabilities: {audited} of {len(locked)} packages")
    else:
        print(
            "\n*** NOTHING WAS AUDITED for known vulnerabilities: neither PyPI nor OSV answered. Run `make test` where "
            "one of them can be reached, at least before a release. ***\n"
        )
    if problems or vulnerable:
        sys.exit("\n".join([*problems, *vulnerable]))


def pins(lines: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the version of each package of a lock file, and what is wrong with lines that pin none exactly."""
    found: dict[str, str] = {}
    wrong = []
    for line in (line.partition("#")[0].strip() for line in lines):
        pinned = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)", line)
        if pinned:
            found[canonicalize_name(pinned[1])] = pinned[2]
        elif line:
            wrong.append(f"requirements.lock: {line!r} pins no version; write NAME==VERSION.")
    return found, wrong


def closure(root: str) -> dict[str, str]:
    """Return the installed version of all that a requirement needs here, directly or not, but of amla itself."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    left = [(root, "")]
    while left:
        text, extra = left.pop()
        wanted = Requirement(text)
        if (text, extra) in seen or (wanted.marker and not wanted.marker.evaluate({"extra": extra})):
            continue
        seen.add((text, extra))
        if wanted.name == "amla":
            left += [(inner, "") for inner in declared(wanted.extras)]
        else:
            installed = metadata.distribution(wanted.name)
            found[canonicalize_name(wanted.name)] = installed.version
            left += [(inner, one) for inner in installed.requires or () for one in ("", *wanted.extras)]
    return found


def declared(extras: Iterable[str]) -> list[str]:
    """Return what amla and some of its extras require, as pyproject.toml says now."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]


def unlocked(needed: Mapping[str, str], locked: Mapping[str, str]) -> list[str]:
    """Return what is wrong with installed packages that are not the locked ones."""
    wrong = []
    for name, version in sorted(needed.items()):
        if name not in locked:
            if not NOT_LOCKED.fullmatch(name):
                wrong.append(f"{name} {version} is needed, but not in requirements.lock.")
        elif locked[name] not in (version, version.partition("+")[0]):  # "2.13.0+cpu" is 2.13.0 built otherwise
            wrong.append(f"{name} {version} is installed, but requirements.lock says {locked[name]}.")
    return wrong


def unlicensed(name: str, said: Any) -> str | None:
    """Return what is wrong with the licence that a package's metadata tell, None if it is one of those allowed."""
    licence = expression(said)
    alternatives = re.sub(r"[()]", "", licence).split(" OR ") if licence else []
    if any({*each.split(" AND ")} <= {*ALLOWED, ALLOWED_FOR.get(name)} for each in alternatives):
        return None
    return f"{name} has the licence {licence or 'unknown'!r}, which is not among those allowed in tests/audit.py."


def expression(said: Any) -> str:
    """Return the licence as an SPDX expression, as far as metadata tell one."""
    if found := said.get("License-Expression"):
        return str(found)
    names = [line.rpartition("::")[2].strip() for line in said.get_all("Classifier", []) if line.startswith("License")]
    known = [LOOSE.get(name, name) for name in names if name not in ("OSI Approved", "DFSG approved")]
    first = (said.get("License") or "").strip().partition("\n")[0]
    return " AND ".join(known) or LOOSE.get(first, first)


def vulnerabilities(ask: Callable[[str], list[dict[str, Any]]]) -> tuple[int, list[str]]:
    """Return how many packages a service knew about, and what is known against them."""
    for service in SERVICES:
        answered = [each for each in ask(service) if "skip_reason" not in each]
        if answered:
            return len(answered), [
                f"{each['name']} {each['version']} has the vulnerability {found['id']}; fixed in "
                f"{', '.join(found['fix_versions']) or 'no version yet'}."
                for each in answered
                for found in each["vulns"]
                if not {found["id"], *found["aliases"]} & IGNORED.keys()
            ]
    return 0, []


def asked(service: str) -> list[dict[str, Any]]:
    """Return what pip-audit hears from a service about each locked package; nothing if it cannot be reached."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json", "--timeout", "10"]
    command += ["--disable-pip", "--no-deps", "--requirement", str(LOCK), "--vulnerability-service", service]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):  # it says so in words, and no JSON
        return []
    return found


if __name__ == "__main__":
    main()
