"""Owns the one SQLite file that lasts: schema, writing, reading, search. The only SQL of tracer."""
