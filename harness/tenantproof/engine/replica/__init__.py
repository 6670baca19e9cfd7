"""A hot standby beside the primary: the same reads, and no writes."""
