"""The address of a hub: what is one, what is refused, and that no password is ever shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.errors import ConfigError
from agent_channels.core.hub.address import HubAddress, has_password, needs_extra
from agent_channels.core.program import install_command


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_library_is_named_with_a_command_that_brings_it() -> None:
    """The one that fits how the program was installed: pip brings nothing into a tool of uv or pipx."""
    assert f"`{install_command('hub')}`" in str(needs_extra())


def test_local_is_the_hub_of_this_machine() -> None:
    """`local` needs no database server."""
    address = HubAddress.of(" local ", {})
    assert address.is_local
    assert str(address) == "local"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me@localhost/hub",
        "postgres://me@127.0.0.1:5433/hub",
        "postgresql://me@[::1]/hub",
        "postgresql:///hub?host=/var/run/postgresql",
        "postgresql:///hub",
        "postgresql://me@db.example.org/hub?sslmode=require",
        "postgresql://me@db.example.org/hub?sslmode=verify-full",
        "postgresql://me@db.example.org/hub?hostaddr=127.0.0.1",
        "postgresql://me@a.example.org,b.example.org:5433/hub?sslmode=verify-ca",
    ],
)
def test_an_address_that_nobody_can_listen_to_is_taken(text: str) -> None:
    """On this machine nothing is encrypted; any other one has to be reached through TLS."""
    assert not HubAddress.of(text, {}).is_local


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("postgresql://me@db.example.org/hub", "db.example.org"),
        ("postgresql://me@db.example.org/hub?sslmode=prefer", "db.example.org"),
        ("postgresql://me@10.0.0.7/hub?sslmode=allow", "10.0.0.7"),
        ("postgresql://me@localhost/hub?hostaddr=10.0.0.7", "10.0.0.7"),
        ("postgresql://me@localhost,db.example.org/hub", "db.example.org"),
        ("postgresql:///hub?host=db.example.org", "db.example.org"),
    ],
)
def test_clear_text_over_a_network_is_refused(text: str, host: str) -> None:
    """The refusal names the host and what to add; libpq's own default would fall back to clear text."""
    with pytest.raises(ConfigError, match="sslmode=require") as refused:
        HubAddress.of(text, {})
    assert host in str(refused.value)


def test_what_libpqs_variables_add_is_checked_too() -> None:
    """A host in the state folder's .env, or in the environment, counts like one in the address."""
    with pytest.raises(ConfigError, match=r"db\.example\.org"):
        HubAddress.of("postgresql:///hub", {"PGHOST": "db.example.org"})
    address = HubAddress.of("postgresql:///hub", {"PGHOST": "db.example.org", "PGSSLMODE": "require"})
    assert address.parameters is not None
    assert address.parameters["host"] == "db.example.org"


def test_a_host_from_the_processs_environment_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would take it from there by itself."""
    monkeypatch.setenv("PGHOST", "db.example.org")
    with pytest.raises(ConfigError, match=r"db\.example\.org"):
        HubAddress.of("postgresql:///hub", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://me:hunter2@localhost/hub", "mysql"),
        ("sqlite:///hub.db", "sqlite"),
        ("nonsense", "nonsense"),
        ("Local", "Local"),
        ("", ""),
        ("me:hunter2@db.example.org/hub", "me"),
        ("host=db.example.org password=hunter2", "host"),
    ],
)
def test_another_kind_of_hub_is_refused_with_what_to_write(text: str, shown: str) -> None:
    """The refusal says what was given, without what may be a password in it, and shows both forms."""
    with pytest.raises(ConfigError, match="write `local`, or postgresql://") as refused:
        HubAddress.of(text, {})
    assert f"the setting hub begins with {shown!r}, and names no hub" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "userinfo",
    [
        "me:Se/cret99",
        "me:Se@cret99",
        "me:12/Secret99",
        "me:Se/cr@et99",
        "me:Se@cr/et99",
        "me:S/e/cret99",
    ],
)
@pytest.mark.parametrize("rest", ["localhost/hub", "db.example.org/hub?sslmode=require", "db.example.org:5433/hub"])
def test_a_password_that_would_be_taken_for_something_else_is_refused(userinfo: str, rest: str) -> None:
    """The library would read a part of it as host, port or database; the refusal repeats none of it, and says how."""
    text = f"postgresql://{userinfo}@{rest}"
    assert has_password(text)
    with pytest.raises(ConfigError, match="%2F for `/`, %40 for `@`") as refused:
        HubAddress.of(text, {})
    assert not any(part in str(refused.value) for part in ("ecret99", "cret99", "cr@et", "et99", "me:", "12"))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:se%2Fcret@localhost/hub",
        "postgresql://me:se?cret@localhost:5433/hub",
        "postgresql:///hub?host=localhost&user=me&password=secret",
    ],
)
def test_a_password_in_an_address_is_found(text: str) -> None:
    """Such an address may be read from standard input; it works, and its text does not hold the password."""
    assert has_password(text)
    assert "cret" not in str(HubAddress.of(text, {}))


@pytest.mark.parametrize(
    "text",
    [
        "local",
        "postgresql://me@[::1]:5433/hub",
        "postgresql://me@localhost:5433,localhost:5434/hub?user=you@home",
        "postgresql:///hub?host=@socket",
        "postgresql://localhost:5433?sslmode=require",
    ],
)
def test_an_address_without_a_password_has_none(text: str) -> None:
    """Ports and parameters are none, so that the address can be an argument."""
    assert not has_password(text)
    assert HubAddress.of(text, {}).is_local is (text == "local")


def test_a_service_is_refused() -> None:
    """A service file could name any host, at any time."""
    with pytest.raises(ConfigError, match="names the service 'production'"):
        HubAddress.of("postgresql:///hub?service=production", {})


PASSWORDS = st.text(min_size=8, max_size=30).filter(lambda text: text.strip() == text and "\0" not in text)


@given(PASSWORDS, st.sampled_from(["localhost", "db.example.org"]), st.booleans())
def test_no_password_is_ever_shown(password: str, host: str, in_variable: bool) -> None:
    """Neither in the address's text, nor in its repr, nor in a refusal, however it was given."""
    secret = quote(password.encode("utf-8", "surrogatepass"), safe="")
    environ = {"PGPASSWORD": password} if in_variable else {}
    user = "me" if in_variable else f"me:{secret}"
    try:
        address = HubAddress.of(f"postgresql://{user}@{host}/hub", environ)
        said = f"{address} {address!r} {address.shown}"
    except ConfigError as error:
        said = str(error)
    shown = said.replace("postgresql://", "").replace("db.example.org", "").replace("localhost", "")
    assert len(password) < 8 or password not in shown
    assert secret not in shown
