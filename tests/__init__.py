"""Tests of tracer; the folders mirror the source. Import shared parts as `tests.support`."""
