"""One module per kind of object: a Pair in, Differences out.  Pure."""
