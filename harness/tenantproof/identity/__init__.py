"""Personas, claims, minted tokens, and what a session sets for them."""
