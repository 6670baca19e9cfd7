"""Intent: who should see what, computed from the scenario alone, never from policies."""
