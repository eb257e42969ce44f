"""The proxy and the certificates of the environment, in all the spellings that other programs understand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import certifi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.certificates import certificate_sources, read_ahead, tls_context
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.network import env_proxy, proxy_url, shown_url
from agent_channels.registry import CHANNELS, channel
from agent_channels.telegram.settings import PROXY_REFUSAL, PROXY_SCHEMES

ROWS = [channel(name) for name in CHANNELS]
BROKEN = [
    "http://", "http://[::1", "http://p:port", "http://p:99999", "http:/p:80", "http://a b:1", "http://a..b:1",
    "http://:8080", "http://user:pa#ss@p:1", "://p:1", "::1", "http://%zz:1", "ftp://p:1", "http://" + "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("p:3128", "http://p:3128"),
        ("HTTP://P:3128/", "http://p:3128"),
        ("http://p", "http://p:80"),
        ("https://p", "https://p:443"),
        ("socks://127.0.0.1:1080/", "socks5://127.0.0.1:1080"),
        ("SOCKS5H://p", "socks5h://p:1080"),
        ("socks4a://p:1", "socks4://p:1"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("http://user:p%40ss@p:1", "http://user:p%40ss@p:1"),
        ("http://user:p@ss@p:1", "http://user:p%40ss@p:1"),
        ("http://user@p:1", "http://user@p:1"),
        (" http://p:1\n", "http://p:1"),
    ],
)
def test_a_proxy_is_understood_however_it_is_spelt(written: str, used: str) -> None:
    """Without a scheme, in capitals, with a slash at the end, IPv6, a password with an @ in it."""
    assert proxy_url(written, PROXY_SCHEMES, PROXY_REFUSAL) == used


@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_malformed_proxy_is_named(row: Channel, value: str, tmp_path: Path) -> None:
    """Of the environment, it is not used, and the route says which variable and what to do; as a setting, refused."""
    environ = {f"{row.name.upper()}_STATE_DIR": str(tmp_path), "HTTPS_PROXY": value}
    env = Environment(row.name, environ)
    route = row.route(env, load(row.settings, env))
    assert (route.proxy, route.source) == (None, "HTTPS_PROXY")
    assert route.unused.startswith("HTTPS_PROXY is '")
    assert route.unused.endswith("; correct or unset HTTPS_PROXY")
    variable = f"{row.name.upper()}_PROXY"
    with pytest.raises(ConfigError, match=f"setting 'proxy' is .*set by {variable}") as refused:
        load(row.settings, Environment(row.name, environ | {variable: value}))
    assert "pa#ss" not in str(refused.value) + route.unused


@given(st.text(st.characters(exclude_characters="\0"), max_size=40), st.sampled_from(["", "http://", "socks5://u:p@"]))
def test_no_proxy_brings_anything_down(text: str, before: str) -> None:
    """Whatever the variables hold, a proxy is usable or refused with a reason."""
    with_text = {"HTTPS_PROXY": before + text, "NO_PROXY": text}
    env_proxy("https://api.example.com", with_text)
    env_proxy("https://[fd00::1]:8443", with_text)
    shown_url(before + text)
    try:
        used = proxy_url(before + text, PROXY_SCHEMES, PROXY_REFUSAL)
    except ValueError:
        pass
    else:
        assert proxy_url(used, PROXY_SCHEMES, PROXY_REFUSAL) == used


@pytest.mark.parametrize(
    ("url", "without", "direct"),
    [
        ("http://127.0.0.1:8081", "localhost,fd00::/8", False),
        ("https://[fd00::1]", "localhost,fd00::/8", True),
        ("https://[::1]", "localhost,[::1]", True),
        ("https://[::1]:8443", "[::1]:443", False),
        ("https://[::1]:8443", "[::1]:8443", True),
        ("https://[::1]", "::1", True),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.0.0.0/99", False),
        ("https://10.1.2.3", "10.1.2.3:443", True),
        ("https://api.example.com", ".example.com", True),
        ("https://api.example.com", "*.Example.com", True),
        ("https://api.example.com", "example.com.", True),
        ("https://api.example.com", "other.org example.com", True),
        ("https://api.example.com", "ample.com", False),
        ("https://api.example.com", "example.com:443", True),
        ("https://api.example.com", "example.com:80", False),
        ("https://api.example.com", "*", True),
        ("https://api.example.com", ",,[[,:::,/,]:80", False),
    ],
)
def test_what_no_proxy_names_is_asked_directly(url: str, without: str, direct: bool) -> None:
    """Domains, addresses and networks of both kinds, with ports or without; what cannot be read names nothing."""
    for name in ("NO_PROXY", "no_proxy"):
        assert (env_proxy(url, {"ALL_PROXY": "http://p:1", name: without}) is None) is direct


def test_the_lower_case_wins() -> None:
    """As other programs read them."""
    assert (
        env_proxy("https://x", {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}) == "http://lower:1"
    )


# ---- certificates


def folder_of_certificates(folder: Path) -> Path:
    """A folder as OpenSSL reads it."""
    folder.mkdir()
    shutil.copy(certifi.where(), folder / "0123abcd.0")
    return folder


def test_certificates_come_from_the_first_variables_that_are_set(tmp_path: Path) -> None:
    """OpenSSL's own, then those of requests and curl; a company's own are added; without any, certifi's."""
    pem, folder = certifi.where(), str(folder_of_certificates(tmp_path / "certs"))
    everything = {"CURL_CA_BUNDLE": pem, "REQUESTS_CA_BUNDLE": folder, "NODE_EXTRA_CA_CERTS": pem}
    assert certificate_sources({}) == []
    assert certificate_sources({"CURL_CA_BUNDLE": pem, "SSL_CERT_FILE": ""}) == ["CURL_CA_BUNDLE"]
    assert certificate_sources(everything) == ["REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
    both = {**everything, "SSL_CERT_FILE": pem, "SSL_CERT_DIR": f"/nonexistent{os.pathsep}{folder}"}
    assert certificate_sources(both) == ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"]
    assert tls_context({}).get_ca_certs()
    assert tls_context(both).get_ca_certs()
    assert tls_context({"REQUESTS_CA_BUNDLE": folder}).get_ca_certs() == []


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
)
@pytest.mark.parametrize("kind", ["missing", "text", "empty", "folder", "device", "pipe", "no name"])
def test_certificates_that_cannot_be_read_are_named(name: str, kind: str, tmp_path: Path) -> None:
    """One sentence with the variable, its value and what to do; nothing hangs on a pipe or a device."""
    place = tmp_path / "place"
    match kind:
        case "text":
            place.write_text("-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n")
        case "empty":
            place.touch()
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "device":
            place = Path("/dev/zero")
    value = "a\0b" if kind == "no name" else str(place)
    with pytest.raises(ConfigError, match=rf"^{name} is .*: name .*, or unset {name}$") as refused:
        tls_context({name: value})
    assert repr(value) in str(refused.value)


def test_a_log_of_keys_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Libraries fail on it while they are imported."""
    environ = {"SSLKEYLOGFILE": str(tmp_path / "nowhere" / "keys"), "TELEGRAM_STATE_DIR": str(tmp_path)}
    row, env = channel("telegram"), Environment("telegram", environ)
    with pytest.raises(ConfigError, match=r"SSLKEYLOGFILE is .* cannot be written .* unset SSLKEYLOGFILE"):
        row.connect(env, load(row.settings, env), "123456:" + "x" * 35)
    assert tls_context({"SSLKEYLOGFILE": str(tmp_path / "keys")})


def test_certificates_are_read_ahead_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one connection; a fault is not kept, since it may be fixed by then."""
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    read_ahead()
    assert tls_context().get_ca_certs()
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/nonexistent")
    read_ahead()
    with pytest.raises(ConfigError, match="NODE_EXTRA_CA_CERTS"):
        tls_context()
    read_ahead()
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", certifi.where())
    assert tls_context().get_ca_certs()


def test_connecting_reads_no_certificates_but_those_that_count() -> None:
    """The HTTP library would read the system's twice while it is imported; whoever asks for them later gets them."""
    program = """
import gc, ssl
from agent_channels.core.settings.config import Environment, load
from agent_channels.registry import channel
row, env = channel("telegram"), Environment("telegram")
adapter = row.connect(env, load(row.settings, env), "123456:" + "x" * 35)
holders = [one for one in gc.get_objects() if isinstance(one, ssl.SSLContext) and one.cert_store_stats()["x509"]]
print(len(holders), ssl.create_default_context().cert_store_stats()["x509"] > 0)
"""
    environ = {**os.environ, "SSL_CERT_FILE": certifi.where()}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert ran.stdout.split() == ["1", "True"]


def test_importing_the_settings_imports_no_tls() -> None:
    """Every command reads them, and few connect."""
    program = "import sys, agent_channels.registry, agent_channels.core.settings.network; print('ssl' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
