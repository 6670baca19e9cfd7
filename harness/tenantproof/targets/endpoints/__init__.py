"""The application behind a scenario's endpoints: asking it, and starting it for a run."""
