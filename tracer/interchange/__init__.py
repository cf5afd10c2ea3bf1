"""Runs as JSON, as bundles, and side by side. Reads the store; never runs what a file names."""
