"""Buttons: layout, panels, prompts, their answers, approval cards."""
