"""Every entry of the lists of credentials is refused, and ordinary names are not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from agent_channels.core.files.secret_names import FILES, FOLDERS, secret_name

PROJECT = PurePosixPath("/home/ann/project")


def example(entry: str) -> str:
    """A path that an entry means."""
    return entry.replace("*", "x").replace("?", " ")


def test_every_file_of_the_list_is_a_secret() -> None:
    """As it is, in capitals, and as a copy of it."""
    for path in (PROJECT / example(entry) for entry in FILES):
        names = [path.name, path.name.upper()]
        names += [path.name + ending for ending in ("~", ".bak", ".old", ".1", ".gz", ".tar.gz")]
        assert [name for name in names if not secret_name(path.with_name(name))] == []


def test_every_folder_of_the_list_is_a_secret() -> None:
    """Whatever lies in it, however deep; not a file of that name's beginning, nor the folder's neighbour."""
    for entry in FOLDERS:
        assert secret_name(PROJECT / entry / "x.txt"), entry
        assert secret_name(PROJECT / entry.upper() / "deep" / "er" / "x.txt"), entry
        assert secret_name(PurePosixPath("/") / entry / "x"), entry
        assert not secret_name(PROJECT / f"my{entry}-notes" / "x.txt"), entry


@pytest.mark.parametrize(
    "path",
    [
        ".config/gh/hosts.yml", ".codex/auth.json", ".mcp.json", "terraform.tfstate", "certs/server.pem", "id_github",
        "id_rsa.pub", "id_ed25519_sk", ".netrc", "_netrc", ".docker/config.json", ".kube/config", ".aws/credentials",
        "config/master.key", "prod.env", ".env.production.local", "wp-config.php", ".claude/.credentials.json",
        ".config/gcloud/application_default_credentials.json", "Library/Keychains/login.keychain-db",
        "gha-creds-1a2b.json", "firebase-adminsdk-x1.json", "my-app-firebase-adminsdk-x1.json", "env.production",
        "appsettings.Production.json", "hosts.yml", "#.env#", ".env .txt", ".env\u00a0", " .env",
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
        "env.py", "env.d.ts", "env.example", "appsettings.json", "hosts.txt", "#notes#", "my report.txt",
    ],
)  # fmt: skip
def test_ordinary_names_are_not(name: str) -> None:
    """A word in a name does not make it a secret."""
    assert secret_name(PROJECT / name) is None
