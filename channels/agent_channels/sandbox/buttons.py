"""Finding the button that a person taps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["find_button"]


def find_button(
    message_id: object,
    rows: Sequence[Sequence[dict[str, Any]]],
    row: int,
    col: int,
    *,
    label: str | None,
    label_field: str,
) -> dict[str, Any]:
    """Return the first button with this label, or without a label the one in this row and column.

    Raises LookupError naming the message and its buttons.
    """
    if label is not None:
        found = [button for buttons in rows for button in buttons if button.get(label_field) == label]
    else:
        found = [rows[row][col]] if 0 <= row < len(rows) and 0 <= col < len(rows[row]) else []
    if not found:
        labels = [[button.get(label_field) for button in buttons] for buttons in rows]
        wanted = f"labelled {label!r}" if label is not None else f"in row {row}, column {col}"
        raise LookupError(f"message {message_id} has no button {wanted}; its buttons: {labels}")
    return found[0]
