"""What property tests of this folder go by."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure; what has to be quick is measured in the test that says so.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
