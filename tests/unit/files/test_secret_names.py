"""Every entry of the lists of credentials is refused, and ordinary names are not."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from agent_channels.core.errors import Refused
from agent_channels.core.files.secret_names import CONTENTS, FILES, FOLDERS, secret_content, secret_name
from agent_channels.core.files.storage import Files

PROJECT = PurePosixPath("/home/ann/project")


def example(entry: str) -> str:
    """A path that an entry means."""
    return entry.replace("*", "x").replace("?", " ")


@pytest.mark.parametrize("entry", FILES)
def test_every_file_of_the_list_is_a_secret(entry: str) -> None:
    """As it is, in capitals, and as a copy of it."""
    path = PROJECT / example(entry)
    assert secret_name(path)
    assert secret_name(path.with_name(path.name.upper()))
    for ending in ("~", ".bak", ".old", ".1", ".gz", ".tar.gz"):
        assert secret_name(path.with_name(path.name + ending))


@pytest.mark.parametrize("entry", FOLDERS)
def test_every_folder_of_the_list_is_a_secret(entry: str) -> None:
    """Whatever lies in it, however deep; not a file of that name's beginning, nor the folder's neighbour."""
    assert secret_name(PROJECT / entry / "x.txt")
    assert secret_name(PROJECT / entry.upper() / "deep" / "er" / "x.txt")
    assert secret_name(PurePosixPath("/") / entry / "x")
    assert not secret_name(PROJECT / f"my{entry}-notes" / "x.txt")


@pytest.mark.parametrize(
    "path",
    [
        ".config/gh/hosts.yml", ".codex/auth.json", ".mcp.json", "terraform.tfstate", "certs/server.pem", "id_github",
        "id_rsa.pub", "id_ed25519_sk", ".netrc", "_netrc", ".docker/config.json", ".kube/config", ".aws/credentials",
        "config/master.key", "prod.env", ".env.production.local", "wp-config.php", ".claude/.credentials.json",
        ".config/gcloud/application_default_credentials.json", "Library/Keychains/login.keychain-db",
        ".cargo/credentials.toml", ".m2/settings.xml", ".gem/credentials", ".terraformrc", "kaggle.json", ".pgpass",
        "client_secret_123.apps.json", "my-service-account-key.json", ".cache/huggingface/token", "secrets.yaml",
    ],
)  # fmt: skip
def test_well_known_credentials_are_secrets(path: str) -> None:
    """Where they usually lie, and in a project."""
    assert secret_name(PurePosixPath("/home/ann") / path)
    assert secret_name(PROJECT / path)


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "report.pdf", "environment.md", "envelope.pdf", "credentials-howto.md", "key.png", "keys.txt",
        "id_card.png", "id_mapping.csv", "tokens.json", "secretary.docx", "package.json", "config.yaml", "settings.py",
        "shadow.png", "history.txt", "oauth-notes.md", "keyboard.jpg", "config", "token_usage.csv", "main.tf",
        "monkey.txt", "access_token_flow.svg", "data.tar.gz", "video.mp4", "docker-compose.yml", "chrome/popup.html",
    ],
)  # fmt: skip
def test_ordinary_names_are_not(name: str) -> None:
    """A word in a name does not make it a secret."""
    assert secret_name(PROJECT / name) is None


HEADS = [
    "gh" + "p_" + "a1" * 18,
    "github_" + "pat_" + "A" * 60,
    "gl" + "pat-" + "x" * 20,
    "sk-" + "ant-api03-" + "x" * 60,
    "sk-" + "proj-" + "x" * 60,
    "AI" + "za" + "x" * 35,
    "xo" + "xb-123456789012-123456789012-" + "x" * 24,
    "sk_" + "live_" + "x" * 24,
    "np" + "m_" + "x" * 36,
    "py" + "pi-AgEIcHlwaS5vcmc" + "x" * 60,
    "h" + "f_" + "x" * 34,
    'aws_secret_access_key = "' + "x/" * 20,
    "ya" + "29." + "x" * 60,
    "DefaultEndpointsProtocol=https;Account" + "Key=" + "x" * 86 + "==",
    "do" + "p_v1_" + "a1" * 32,
    "S" + "G." + "x" * 22 + "." + "x" * 43,
    "hv" + "s." + "x" * 24,
    "x" * 14 + ".atlas" + "v1." + "x" * 60,
    "ts" + "key-auth-" + "x" * 17 + "-" + "x" * 30,
    "gl" + "sa_" + "x" * 32 + "_12345678",
    "sn" + "trys_" + "x" * 60,
    "shp" + "at_" + "a1" * 16,
    "lin_" + "api_" + "x" * 40,
    "nt" + "n_" + "x" * 46,
    "ATA" + "TT3" + "x" * 100,
    "PM" + "AK-" + "a1" * 12 + "-" + "a1" * 17,
    "sb" + "p_" + "a1" * 20,
    "gs" + "k_" + "x" * 52,
    "xa" + "i-" + "x" * 80,
    "r" + "8_" + "x" * 37,
    "pp" + "lx-" + "x" * 48,
    "ruby" + "gems_" + "a1" * 24,
    "hooks.slack" + ".com/services/T12345678/B12345678/" + "x" * 24,
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "PuTTY-User-Key-File-3: ssh-ed25519",
    "# created: today\nAGE-SECRET-KEY-1QQQ",
    "7001234567:" + "A" * 35,
    "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDe." + "x" * 38,
]


@pytest.mark.parametrize("head", HEADS)
def test_a_secret_under_another_name_is_refused(tmp_path: Path, head: str) -> None:
    """Keys and tokens of bots are found by what a file holds; the reason says what to do."""
    files = Files(tmp_path / "state", environ={"CLAUDE_PROJECT_DIR": str(tmp_path)})
    (tmp_path / "notes.txt").write_text(f"some text\n{head}\nmore")
    with pytest.raises(Refused, match=r"holds a secret .* Send a copy from which that was removed") as refused:
        files.open_sendable("notes.txt", 1000)
    assert head not in str(refused.value)
    assert secret_content(b"-----BEGIN CERTIFICATE-----") is None
    assert secret_content(b"-----BEGIN PUBLIC KEY-----") is None


def test_every_kind_of_content_has_an_example() -> None:
    """A shape that is added to the list needs one above."""
    assert {secret_content(head.encode()) for head in HEADS} == {*CONTENTS, None}
