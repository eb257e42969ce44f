"""`python -m agent_channels.core.files.local_transcriber MODEL PATH [times]`: prints the words spoken in an audio file.

With `times`, a mark such as `[01:02:03]` stands before each sentence that says when it begins.
It runs as a process of its own, so that the server stays small and a model that hangs can be killed.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["main"]


def main(model: str, path: str, times: str = "") -> int:
    """Print the transcript and return 0; without the optional extra, print how to install it and return 1."""
    try:
        faster_whisper = importlib.import_module("faster_whisper")
    except ImportError:
        print("no local model: install it with `pip install agent-channels[voice]`", file=sys.stderr)  # noqa: T201
        return 1
    whisper = faster_whisper.WhisperModel(model, device="auto", compute_type="int8")
    segments, _ = whisper.transcribe(path, vad_filter=True)
    for segment in segments:
        print((_mark(segment.start) if times else "") + segment.text.strip())  # noqa: T201
    return 0


def _mark(start_s: float) -> str:
    minutes, seconds = divmod(int(start_s), 60)
    return f"[{minutes // 60:02}:{minutes % 60:02}:{seconds:02}] "


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
