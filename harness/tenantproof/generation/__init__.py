"""Hypothesis strategies for attempts."""
