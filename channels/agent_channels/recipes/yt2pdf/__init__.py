"""From a link to a video to PDFs of its summary: the agent writes the summaries, this does the rest."""
