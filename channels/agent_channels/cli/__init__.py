"""The one command, `channels`, with a file for each verb."""
