"""Rows that a run commits in somebody's database: written down before, and taken away afterwards."""
