"""Supabase's services by SQL: what Storage, Realtime and Auth would ask of the database, asked as they ask it."""
