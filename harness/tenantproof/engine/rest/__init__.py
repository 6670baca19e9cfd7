"""The same personas and the same attempts through PostgREST: over HTTP, with their tokens."""
