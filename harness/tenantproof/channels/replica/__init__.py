"""What may be different on a hot standby."""
