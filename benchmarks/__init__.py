"""What recording costs, measured: `python -m benchmarks` prints one table of ratios.

Each row compares two things measured in turn in the same minutes of the same machine, so that a
busy or slow machine moves both; the middle of the rounds counts, and its spread is shown.
"""
