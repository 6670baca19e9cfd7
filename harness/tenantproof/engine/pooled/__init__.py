"""Two users on one server connection, one after the other, as pools hand it out."""
