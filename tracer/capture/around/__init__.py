"""What happens around the steps of a run: its output, log records, what it touches outside the
process, local variables where it raises, and what it runs in."""
