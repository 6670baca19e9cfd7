"""What can go wrong between a REST API and its clients: kinds of finding that no statement of SQL shows."""
