"""Credentials that nobody has, of every kind that is known by its shape, made at random with lengths and checksums."""

from __future__ import annotations

import base64
import json
import random
import string
import zlib
from collections.abc import Callable

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
HEX = "0123456789abcdef"
URL = BASE62 + "-_"


class Planted:
    """Makes credentials; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def of(self, letters: str, length: int) -> str:
        return "".join(self._random.choices(letters, k=length))

    def checked(self, prefix: str) -> str:
        """A token whose last six characters are the CRC-32 of those before, in base 62."""
        body, number, digits = self.of(BASE62, 30), 0, ""
        number = zlib.crc32(body.encode())
        while number:
            number, digit = divmod(number, 62)
            digits = BASE62[digit] + digits
        return prefix + body + digits.rjust(6, "0")

    def age_key(self) -> str:
        """A Bech32 text of 32 bytes, with its checksum."""
        prefix = "age-secret-key-"
        data = [self._random.randrange(32) for _ in range(52)]
        values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + data + [0] * 6
        checksum = 1
        for value in values:
            top = checksum >> 25
            checksum = (checksum & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                checksum ^= generator if top >> bit & 1 else 0
        checksum ^= 1
        data += [checksum >> 5 * (5 - i) & 31 for i in range(6)]
        return (prefix + "1" + "".join(BECH32[value] for value in data)).upper()

    def jwt(self) -> str:
        head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()).decode().rstrip("=")
        body = base64.urlsafe_b64encode(json.dumps({"sub": self.of(BASE62, 12)}).encode()).decode().rstrip("=")
        return f"{head}.{body}.{self.of(URL, 43)}"

    def private_key(self) -> str:
        lines = "\n".join(self.of(BASE62 + "+/", 64) for _ in range(3))
        return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----"


# Each kind with how one is made, and how it stands in a text.
KINDS: dict[str, Callable[[Planted], str]] = {
    "github": lambda p: p.checked("gh" + p.of("pousr", 1) + "_"),
    "github fine": lambda p: "github_" + "pat_" + p.of(BASE62, 22) + "_" + p.of(BASE62, 59),
    "gitlab": lambda p: "gl" + "pat-" + p.of(URL, 19) + "7a",
    "anthropic": lambda p: "sk-" + "ant-api03-" + p.of(URL, 93) + "AA",
    "openai": lambda p: "sk-" + "proj-" + p.of(URL, 120),
    "openai old": lambda p: "sk-" + p.of(BASE62, 20) + "T3Blbk" + "FJ" + p.of(BASE62, 20),
    "groq": lambda p: "gs" + "k_" + p.of(BASE62, 50) + "7a",
    "google": lambda p: "AI" + "za" + p.of(URL, 34) + "a",
    "google oauth": lambda p: "ya" + "29." + p.of(URL, 80),
    "aws id": lambda p: "AK" + "IA" + p.of(string.ascii_uppercase, 15) + "7",
    "aws": lambda p: "aws_secret_access_key = " + p.of(BASE62 + "+/", 40),
    "slack": lambda p: "xo" + "xb-" + p.of(string.digits, 12) + "-" + p.of(string.digits, 12) + "-" + p.of(BASE62, 24),
    "slack hook": lambda p: "https://hooks.slack" + ".com/services/T" + p.of(HEX, 8).upper() + "/B"
    + p.of(HEX, 8).upper() + "/" + p.of(BASE62, 24),
    "stripe": lambda p: "sk_" + "live_" + p.of(BASE62, 22) + "7a",
    "npm": lambda p: p.checked("np" + "m_"),
    "pypi": lambda p: "py" + "pi-AgEIcHlwaS5vcmc" + p.of(URL, 100),
    "sendgrid": lambda p: "S" + "G." + p.of(URL, 22) + "." + p.of(URL, 43),
    "digitalocean": lambda p: "do" + "p_v1_" + p.of(HEX, 64),
    "azure": lambda p: "Account" + "Key=" + p.of(BASE62 + "+/", 86) + "==",
    "vault": lambda p: "hv" + "s." + p.of(URL, 95),
    "terraform": lambda p: p.of(BASE62, 14) + ".atlas" + "v1." + p.of(URL, 67),
    "tailscale": lambda p: "ts" + "key-auth-" + p.of(BASE62, 17) + "-" + p.of(BASE62, 32),
    "shopify": lambda p: "shp" + "at_" + p.of(HEX, 32),
    "hugging face": lambda p: "h" + "f_" + p.of(BASE62, 34),
    "jwt": Planted.jwt,
    "age": Planted.age_key,
    "private key": Planted.private_key,
    "password": lambda p: "postgresql://app:" + p.of(BASE62, 18) + "7aB@db.example/app",
    "by name": lambda p: "API_KEY=" + "".join(p.of(BASE62[10:], 2) + p.of(BASE62[:10], 1) for _ in range(11)),
}  # fmt: skip


def core_of(secret: str) -> str:
    """What of a credential nobody may see: its end, in one line."""
    if secret.startswith("-----"):
        return secret.split("\n")[-2][:40]
    return secret.rpartition("@")[0][-16:] if "://app:" in secret else secret.rstrip("=")[-16:]


def planted(count: int, seed: int = 20) -> list[str]:
    """So many credentials, of all kinds in turn."""
    maker = Planted(seed)
    makers = list(KINDS.values())
    return [makers[number % len(makers)](maker) for number in range(count)]
