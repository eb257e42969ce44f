"""`python -m agent_channels.core.files.local_transcriber MODEL PATH`: prints the words spoken in an audio file.

It runs as a process of its own, so that the server stays small and a model that hangs can be killed.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["main"]


def main(model: str, path: str) -> int:
    """Print the transcript and return 0; without the optional extra, print how to install it and return 1."""
    try:
        faster_whisper = importlib.import_module("faster_whisper")
    except ImportError:
        print("no local model: install it with `pip install agent-channels[voice]`", file=sys.stderr)  # noqa: T201
        return 1
    whisper = faster_whisper.WhisperModel(model, device="auto", compute_type="int8")
    segments, _ = whisper.transcribe(path, vad_filter=True)
    print(" ".join(segment.text.strip() for segment in segments))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
