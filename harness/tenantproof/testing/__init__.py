"""Helpers for people who write their own channels."""
