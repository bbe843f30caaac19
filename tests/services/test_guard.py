"""Who may ask a server what: by name, by token, and how often."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asked import asking, problem
from fastapi import APIRouter, Request

from amla.services import tokens
from amla.services.app import Core, application
from amla.services.documents import body_of
from amla.services.errors import ServiceError
from amla.services.guard import Guard, needed


def role(core: Core) -> APIRouter:
    router = APIRouter()

    @router.api_route("/studies", methods=["GET", "POST", "DELETE"])
    def studies() -> str:
        return "done"

    return router


def reading(core: Core) -> APIRouter:
    router = APIRouter()

    @router.post("/bodies")
    async def bodies(request: Request) -> int:
        return len(await body_of(request))

    return router


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def test_off_loopback_a_server_does_not_start_without_tokens(file: Path):
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):  # noqa: S104
        with pytest.raises(ServiceError, match="amla token add"):
            Guard(host=host)
        with pytest.raises(ServiceError, match="has no token that holds"):
            Guard(host=host, tokens=file)
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        assert Guard(host=host).is_local


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_on_loopback_a_server_answers_to_its_own_names_alone(name: str):
    """A page of another site reaches it by a name of that site that leads to 127.0.0.1: DNS rebinding."""
    ask = asking(application({}))
    assert "not called" in problem(ask("GET", "/v1/health", headers={"host": name}), 421)
    for own in ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"):
        assert ask("GET", "/v1/health", headers={"host": own}).status_code == 200


def test_a_name_may_be_added():
    ask = asking(application({}, Guard(names=("amla.example",))))
    assert ask("GET", "/v1/health", headers={"host": "amla.example:8000"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:9", "http://127.0.0.1.evil:8000"]
)
def test_a_page_of_another_site_may_not_ask(origin: str):
    ask = asking(application({"studies": role}))
    answer = ask("POST", "/v1/studies", headers={"origin": origin})
    assert "no other site may" in problem(answer, 403)
    assert "access-control-allow-origin" not in answer.headers


def test_a_token_allows_what_its_scope_says(file: Path):
    held = {scope: tokens.add(file, scope, scope) for scope in tokens.SCOPES}
    ask = asking(application({"studies": role}, Guard(host="192.0.2.1", tokens=file)))
    allowed = {
        (scope, method): ask(method, "/v1/studies", headers=bearer(secret)).status_code
        for scope, secret in held.items()
        for method in ("GET", "POST", "DELETE")
    }
    assert [key for key, status in allowed.items() if status == 200] == [
        ("read", "GET"), ("run", "GET"), ("run", "POST"), ("admin", "GET"), ("admin", "POST"), ("admin", "DELETE"),
    ]  # fmt: skip
    assert set(allowed.values()) == {200, 403}
    assert needed("POST", "/v1/ask") == needed("DELETE", "/v1/trials/1") == "run"


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", "Bearer amla_wrong", "Basic YTpi", "Bearer \xff", "x" * 9999]
)
def test_without_a_token_that_holds_nothing_but_health_is_answered(sent: str, file: Path):
    tokens.add(file, "someone", "admin")
    ask = asking(application({"studies": role}, Guard(tokens=file)))
    headers = {"authorization": sent.encode("latin-1")}
    answer = ask("GET", "/v1/studies", headers=headers)
    assert "AMLA_TOKEN" in problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ask("GET", "/metrics", headers=headers).status_code == 401
    assert ask("GET", "/v1/health", headers=headers).status_code == 200


def test_whoever_tries_tokens_must_wait(file: Path):
    secret = tokens.add(file, "someone", "read")
    app = application({"studies": role}, Guard(tokens=file))
    ask, other = asking(app), asking(app, "192.0.2.7")
    found = [ask("GET", "/v1/studies", headers=bearer("amla_guess")).status_code for _ in range(30)]
    assert found[:20] == [401] * 20
    assert 429 in found
    assert other("GET", "/v1/studies", headers=bearer(secret)).status_code == 200


def test_a_client_that_asks_too_often_must_wait_and_others_need_not():
    app = application({}, Guard(rate=1.0))
    ask, other = asking(app), asking(app, "192.0.2.7")
    answers = [ask("GET", "/v1/health") for _ in range(10)]
    assert [answer.status_code for answer in answers[:5]] == [200] * 5
    late = next(answer for answer in answers if answer.status_code != 200)
    assert int(late.headers["retry-after"]) >= 1
    assert "Too many" in problem(late, 429)
    assert other("GET", "/v1/health").status_code == 200


@pytest.mark.parametrize("length", ["1001", "9" * 5_000, "-1", "x", "\u00b2"])
def test_a_body_that_says_that_it_is_too_long_is_refused(length: str):
    ask = asking(application({"studies": role}, Guard(largest=1000)))
    sent = {"content-length": length.encode("latin-1")}
    assert "longer than 1,000" in problem(ask("POST", "/v1/studies", headers=sent), 413)


def test_a_body_that_says_no_length_is_cut_off():
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 100

    sent = {"content-type": "application/json"}
    ask = asking(application({"bodies": reading}, Guard(largest=1000)))
    assert "longer than 1,000" in problem(ask("POST", "/v1/bodies", content=endless(), headers=sent), 413)


def test_secrets_are_not_in_the_file_and_nobody_else_may_read_it(file: Path):
    secret = tokens.add(file, "me", "run", seconds=60)
    assert secret.startswith("amla_")
    assert secret.removeprefix("amla_") not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert len({tokens.add(file, f"t{n}", "read") for n in range(5)} | {secret}) == 6


def test_a_token_is_rotated_with_a_time_of_grace(file: Path):
    old = tokens.add(file, "me", "run")
    held = tokens.Tokens(file)
    new = tokens.rotate(file, "me", grace=1000)
    assert {found.name for secret in (old, new) if (found := held.find(secret))} == {"me"}
    newest = tokens.rotate(file, "me", grace=0)
    assert held.find(newest)
    assert not held.find(new)
    assert not held.find(old)


def test_a_token_that_is_removed_or_over_lets_nobody_in(file: Path):
    held, secret = tokens.Tokens(file), tokens.add(file, "me", "admin")
    over = tokens.add(file, "over", "admin", seconds=0)
    assert held.find(secret)
    assert not held.find(over)
    tokens.remove(file, "me")
    assert not held.find(secret)


def test_a_damaged_file_of_tokens_lets_nobody_in_and_is_said(file: Path):
    secret, held = tokens.add(file, "me", "admin"), tokens.Tokens(file)
    file.write_text("[{]")
    assert held.find(secret) is None
    with pytest.raises(ServiceError, match="holds no tokens"):
        tokens.read(file)


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "ü"])
def test_a_name_of_a_token_is_plain(name: str, file: Path):
    with pytest.raises(ServiceError, match="cannot name a token"):
        tokens.add(file, name, "read")


def test_names_are_taken_once_and_missing_ones_said(file: Path):
    tokens.add(file, "me", "read")
    with pytest.raises(ServiceError, match="already"):
        tokens.add(file, "me", "run")
    for act in (lambda: tokens.remove(file, "you"), lambda: tokens.rotate(file, "you", 0)):
        with pytest.raises(ServiceError, match="there are: me"):
            act()
