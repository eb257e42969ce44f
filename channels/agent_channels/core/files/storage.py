"""Files out: which may be sent. Files in: where they go, under names of our own, within a quota."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.errors import Refused
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.settings.private_files import ensure_private_dir
from agent_channels.core.text.sanitize import label

__all__ = ["Files"]

_SECRET_FOLDERS = frozenset(
    {
        ".ssh",
        ".aws",
        ".gnupg",
        ".kube",
        ".docker",
        ".azure",
        ".gcloud",
        "gcloud",
        ".password-store",
        ".git",
        ".claude",
        ".cargo",
        ".terraform.d",
        "keyrings",
        ".mozilla",
        "google-chrome",
    }
)
_SECRET_FILES = re.compile(
    r"\.env([._~-].*|rc|~)?|.*\.env|\.claude\.json|\.vault-token|\.my\.cnf|\.s3cfg|\.boto|\.htpasswd|\..*_history|"
    r"\.netrc|_netrc|\.npmrc|\.pypirc|\.pgpass|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519).*|"
    r".*\.(pem|key|p12|pfx|kdbx|keystore|jks)|(.*[_-])?credentials(\.json|\.db|\.toml)?|service[_-]account.*\.json",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")
_BY_MIME = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "audio/ogg": ".ogg", "video/mp4": ".mp4"}
_BY_KIND = {
    "photo": ".jpg", "voice": ".ogg", "audio": ".mp3", "video": ".mp4", "video_note": ".mp4", "animation": ".mp4",
    "sticker": ".webp",
}  # fmt: skip


class Files:
    """The folder STATE_DIR/files and the rules for sending."""

    def __init__(
        self,
        state_dir: Path,
        *,
        roots: Iterable[Path] = (),
        quota_mb: int = 1024,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.state_dir = Path(os.path.realpath(state_dir))
        self.folder = self.state_dir / "files"
        self.quota = quota_mb * 1024 * 1024
        named = [project_dir(environ), Path(tempfile.gettempdir()), self.folder, *(root.expanduser() for root in roots)]
        self.roots = [Path(os.path.realpath(root)) for root in named]

    def sendable(self, path: str, limit: int) -> Path:
        """The real path of a file that may be sent.

        Raises `Refused` saying why not: missing, not a file, empty, above `limit` bytes, outside the allowed folders,
        inside the state folder, or likely a secret.
        """
        shown = repr(path if len(path) <= 300 else path[:299] + "…")
        if "\x00" in path or not path.strip():
            raise Refused(f"the file path {shown} is not a path")
        try:
            given = Path(path).expanduser()
            if not given.is_absolute():
                given = self.roots[0] / given
            real = Path(os.path.realpath(given))
            self._check_place(real, shown)
            info = real.stat()
        except (RuntimeError, ValueError) as error:
            # No such user's home, or characters that no file system takes.
            raise Refused(f"the file path {shown} is not a path: {error}") from error
        except OSError as error:
            raise Refused(f"the file {shown} cannot be read: {error.strerror or error}") from error
        if not stat.S_ISREG(info.st_mode):
            raise Refused(f"{shown} is not a file; only plain files can be sent")
        if not os.access(real, os.R_OK):
            raise Refused(f"the file {shown} cannot be read: permission denied")
        if info.st_size == 0:
            raise Refused(f"the file {shown} is empty; the platform takes no empty files")
        if info.st_size > limit:
            raise Refused(f"the file {shown} has {info.st_size:,} bytes; the platform takes at most {limit:,}")
        return real

    def _check_place(self, real: Path, shown: str) -> None:
        if real.is_relative_to(self.state_dir) and not real.is_relative_to(self.folder):
            raise Refused(f"the file {shown} lies in the state folder, which holds credentials; it is never sent")
        for parent in real.parents:
            if (parent / "channel.db").exists() and not real.is_relative_to(parent / "files"):
                raise Refused(f"the file {shown} lies in a state folder, which holds credentials; it is never sent")
        secret = next((part for part in real.parts[:-1] if part.lower() in _SECRET_FOLDERS), None)
        if secret or _SECRET_FILES.fullmatch(real.name):
            raise Refused(f"the file {shown} looks like a secret ({secret or real.name}); it is never sent")
        if not any(real.is_relative_to(root) for root in self.roots):
            raise Refused(
                f"the file {shown} lies outside the folders that may be sent from ({', '.join(map(str, self.roots))}); "
                "copy it into one of them, or have the operator add its folder to send_roots in config.yaml"
            )

    def target(self, attachment: Attachment) -> Path:
        """A new path for a download: time, random digits, and an ending we know or which is plainly an ending."""
        ensure_private_dir(self.folder)
        ending = Path(label(attachment.name or "", 512)).suffix
        if not _ENDING.fullmatch(ending):
            ending = _BY_MIME.get(attachment.mime or "") or _BY_KIND.get(attachment.kind, ".bin")
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        return self.folder / f"{stamp}-{secrets.token_hex(6)}{ending.lower()}"

    def own(self, name: str) -> Path:
        """A new path for a file that we write ourselves."""
        ensure_private_dir(self.folder)
        return self.folder / name

    def written(self, stem: str, ending: str, text: str) -> Path:
        """A file of ours to be sent, named after `stem`; the same text is the same file."""
        ensure_private_dir(self.folder)
        data = text.encode("utf-8", "replace")
        path = self.folder / f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}{ending}"
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    def prune(self, needed: Collection[str], keep_days: float | None = None) -> int:
        """Deletes downloads older than `keep_days`, and the oldest above the quota, but none that is `needed`.

        Returns how many went.
        """
        if not self.folder.is_dir():
            return 0
        before = 0.0 if keep_days is None else time.time() - keep_days * 86_400
        files = sorted((e.stat().st_mtime, e.stat().st_size, e.path) for e in os.scandir(self.folder) if e.is_file())
        total, gone = sum(size for _, size, _ in files), 0
        for changed, size, path in files:
            if total <= self.quota and changed >= before:
                break
            if path in needed:
                continue
            Path(path).unlink(missing_ok=True)
            total, gone = total - size, gone + 1
        return gone
