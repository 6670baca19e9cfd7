"""The verdicts: pure functions over observations."""
