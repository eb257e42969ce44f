"""What the PDFs of a two-hour video cost: `python -m tests.bench.yt2pdf [RUNS] [--keep FOLDER]`, by hand.

Each run is a process of its own, as each step of an agent's is: the time in it from Markdown to pages, the processor's
part of that (which other programs on the machine do not change), the whole process with its start, and the size. The
budget is 3 seconds and 2 MB a document. `--keep` leaves the documents, and pictures of their first pages.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

SUPPORT = Path(__file__).parents[1] / "support"
LENGTH_S = 7200
CODE = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from agent_channels.recipes.yt2pdf.video import Video
from agent_channels.recipes.yt2pdf.pdf import render_pdf
from summaries import ID, long_summary
from video_site import picture
language, keep = sys.argv[2:]
video = Video(ID, "How bread rises 🍞", "Bakery", 7200.0, "2026-01-02", "en", "", ())
text, image = long_summary(language), picture(1120, 630)
began, cpu = time.perf_counter(), time.process_time()
made = render_pdf(video, language, text, image)
took, cpu = time.perf_counter() - began, time.process_time() - cpu
if keep:
    import pathlib, pypdfium2
    folder = pathlib.Path(keep)
    (folder / f"{language}.pdf").write_bytes(made.data)
    with pypdfium2.PdfDocument(made.data) as document:
        for number in range(min(2, len(document))):
            document[number].render(scale=1.4).to_pil().save(folder / f"{language}-{number + 1}.png")
print(json.dumps({"s": took, "cpu": cpu, "bytes": len(made.data), "pages": made.pages, "words": len(text)}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.yt2pdf", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("runs", nargs="?", type=int, default=7)
    parser.add_argument("--keep", metavar="FOLDER", default="")
    args = parser.parse_args()
    if args.keep:
        Path(args.keep).mkdir(parents=True, exist_ok=True)
    table = Table(title=f"PDF of a video of {LENGTH_S // 3600} hours, median of {args.runs} processes")
    for name in (
        "language",
        "Markdown to PDF (s)",
        "processor (s)",
        "whole process (s)",
        "size (kB)",
        "pages",
        "characters",
    ):
        table.add_column(name, justify="right")
    for language in ("en", "zh-TW"):
        runs, whole = [], []
        for _ in range(args.runs):
            began = time.perf_counter()
            ran = subprocess.run(
                [sys.executable, "-c", CODE, str(SUPPORT), language, args.keep],
                capture_output=True,
                text=True,
                check=True,
            )
            whole.append(time.perf_counter() - began)
            runs.append(json.loads(ran.stdout))
        seconds, total = statistics.median(run["s"] for run in runs), statistics.median(whole)
        last = runs[-1]
        cpu = statistics.median(run["cpu"] for run in runs)
        figures = (seconds, cpu, total)
        sizes = (f"{last['bytes'] / 1000:.0f}", str(last["pages"]), str(last["words"]))
        table.add_row(language, *(f"{figure:.2f}" for figure in figures), *sizes)
    Console().print(table)


if __name__ == "__main__":
    main()
