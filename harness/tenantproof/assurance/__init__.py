"""How far green can be trusted."""
