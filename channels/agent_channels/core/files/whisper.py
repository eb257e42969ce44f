"""`python -m agent_channels.core.files.whisper MODEL PATH`: prints what is said in a file, by a model on this machine.

A process of its own, so that the server stays small and a model that hangs can be ended.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["main"]


def main(model: str, path: str) -> int:
    """Prints the transcript; 1 and a sentence on stderr when the optional extra is not installed."""
    try:
        library = importlib.import_module("faster_whisper")
    except ImportError:
        print("no local model: install it with `pip install agent-channels[voice]`", file=sys.stderr)  # noqa: T201
        return 1
    heard = library.WhisperModel(model, device="auto", compute_type="int8")
    segments, _ = heard.transcribe(path, vad_filter=True)
    print(" ".join(segment.text.strip() for segment in segments))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
