"""The catalogue of attempts."""
