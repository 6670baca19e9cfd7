"""Two-way non-interference on the running database: two worlds, what a persona perceives in each, and who is hurt."""
