"""tenantproof proves that one tenant cannot reach another's data, and shows the leak when it can."""

__version__ = "0.1.0"
