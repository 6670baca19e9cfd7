"""The channels of pooled connections."""
