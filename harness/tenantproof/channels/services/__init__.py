"""Channels through Supabase's services: Storage, Realtime, and what Auth puts into tokens."""
