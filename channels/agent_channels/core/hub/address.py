"""Where the hub is: on this machine, or in a PostgreSQL database that other machines reach too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote

from agent_channels.core.errors import ConfigError
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.log import register_secret
from agent_channels.core.program import install_command
from agent_channels.core.settings.network import is_loopback

__all__ = ["VARIABLES", "HubAddress", "has_password", "needs_extra"]

_SCHEMES = ("postgresql://", "postgres://")
_FORM = sentence("write `local`, or postgresql://user@host/database?sslmode=require")
# Under these a connection is encrypted or fails; the others of libpq fall back to clear text.
_ENCRYPTED = ("require", "verify-ca", "verify-full")
# libpq's own variables, which may stand in the state folder's .env too: the parameter that each one sets.
VARIABLES = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGPASSFILE": "passfile",
    "PGSSLMODE": "sslmode",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
}


@frozen
class HubAddress:
    """A checked address. Neither its `str` nor its `repr` shows the password."""

    parameters: Mapping[str, str] | None = field(default=None, repr=False)
    """What libpq connects with; None for the hub on this machine."""
    shown: str = "local"
    """The address for people, without the password."""

    @property
    def is_local(self) -> bool:
        """Whether the hub is a file on this machine."""
        return self.parameters is None

    @property
    def place(self) -> tuple[str | None, ...]:
        """What two addresses of the same database have in common, however it is reached."""
        return tuple((self.parameters or {}).get(name) for name in ("host", "hostaddr", "port", "dbname"))

    def __str__(self) -> str:
        """Return the address for people."""
        return self.shown

    @classmethod
    def of(cls, text: str, environ: Mapping[str, str | None]) -> HubAddress:
        """Return the address that the setting `hub` names; what it leaves out is taken from libpq's variables.

        Raises `ConfigError`, which never shows the password.
        """
        text = text.strip()
        if text == "local":
            return cls()
        if not text.startswith(_SCHEMES):
            # What follows the first of these may be a password.
            kind = re.split(r"://|[:=@\s]", text, maxsplit=1)[0]
            raise ConfigError(
                joined([sentence("the setting hub begins with {kind!r}, and names no hub", kind=kind[:40]), _FORM])
            )
        _require_readable(text)
        parameters = _parameters(text, environ)
        if password := parameters.get("password"):
            register_secret(password)
            register_secret(quote(password, safe=""))
        shown = _shown(parameters)
        if (far := _unencrypted(parameters)) is not None:
            raise ConfigError(
                sentence(
                    "the setting hub: {address} would send messages to {host} in clear text; add sslmode=require (or "
                    "verify-full, which also checks whose certificate it is) to the address",
                    address=shown,
                    host=far,
                )
            )
        return cls(parameters, shown)


def has_password(text: str) -> bool:
    """Return whether an address holds a password, also where a `/` or an `@` in it has it end too early."""
    rest = text.partition("://")[2]
    users = (part.rpartition("@")[0] for part in (rest.partition("/")[0], rest.partition("?")[0]))
    return any(":" in user for user in users) or "password=" in text


def needs_extra() -> ConfigError:
    """Return the error of a hub whose library is not installed."""
    return ConfigError(
        sentence(
            "a hub in PostgreSQL needs the extra `hub`; install it with `{command}`", command=install_command("hub")
        )
    )


def _require_readable(text: str) -> None:
    """Raise `ConfigError` for an address of which the library would take a part of the password for something else."""
    rest = text.partition("://")[2]
    before, _, after = rest.partition("/")
    hosts = before.rpartition("@")[2].partition("?")[0]
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts.split(",")]
    if before.count("@") > 1 or "@" in after.partition("?")[0] or any(port and not port.isdecimal() for port in ports):
        raise ConfigError(
            sentence(
                "the setting hub is an address with a `/` or an `@` where none can be, or with a port that is not a "
                "number; in a user or a password write %2F for `/`, %40 for `@`, %3A for `:` and %25 for `%`"
            )
        )


def _parameters(text: str, environ: Mapping[str, str | None]) -> dict[str, str]:
    """Return every parameter that libpq would use for an address. Raises `ConfigError`."""
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise needs_extra() from None
    given = {name: value for variable, name in VARIABLES.items() if (value := environ.get(variable))}
    try:
        # The defaults hold what the process's own environment and a service file say.
        defaults = psycopg.pq.Conninfo.get_defaults()
        found = {option.keyword.decode(): option.val.decode() for option in defaults if option.val is not None}
        written = {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
    except (psycopg.Error, UnicodeError):
        # libpq's message may quote the address, password and all.
        raise ConfigError(
            joined([sentence("the setting hub is not an address that PostgreSQL's library can read"), _FORM])
        ) from None
    if "service" in written:
        raise ConfigError(
            sentence(
                "the setting hub names the service {service!r}; write host, database and user into the address instead",
                service=written["service"],
            )
        )
    return {name: value for name, value in {**found, **given, **written}.items() if value}


def _shown(parameters: Mapping[str, str]) -> str:
    user = f"{quote(parameters['user'], safe='')}@" if "user" in parameters else ""
    host = parameters.get("host") or parameters.get("hostaddr") or ""
    where = quote(host, safe=",:") if host.startswith("/") else host
    port = f":{parameters['port']}" if parameters.get("port", "5432") != "5432" else ""
    return f"postgresql://{user}{where}{port}/{quote(parameters.get('dbname', ''), safe='')}"


def _unencrypted(parameters: Mapping[str, str]) -> str | None:
    """Return a host that would be reached over a network without encryption; None if there is none."""
    if parameters.get("sslmode") in _ENCRYPTED:
        return None
    # An address decides where the connection goes; the name beside it is only compared with the certificate.
    hosts = (parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    return next((host for host in hosts if not _is_here(host)), None)


def _is_here(host: str) -> bool:
    # Empty: libpq takes its socket's folder. @: a socket without a file.
    return not host or host.startswith(("/", "@")) or is_loopback(host.strip("[]"))
