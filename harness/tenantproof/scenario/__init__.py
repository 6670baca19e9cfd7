"""YAML to Scenario: positions, models, did-you-mean, JSON Schema."""
