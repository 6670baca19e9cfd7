"""How much the suite tries: enough for a change, all with TENANTPROOF_THOROUGH=1."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("suite", max_examples=40, deadline=None, derandomize=True)  # red only for a change
settings.register_profile("thorough", max_examples=200, deadline=None)
settings.load_profile("thorough" if os.environ.get("TENANTPROOF_THOROUGH") else "suite")
