"""A scenario's endpoints: what an application answers, as each persona, with own ids and with those of others."""
