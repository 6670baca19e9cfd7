"""Personas, claims, minted tokens, and what a session sets for them.

Nothing is imported here: `personas` needs no cryptography and `becoming` no tokens, so each caller imports the
module that it needs.
"""
