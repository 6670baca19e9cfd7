"""Plan and run: yields events."""
