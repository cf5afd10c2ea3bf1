"""The commands: words, exit codes, progress. One command a file; `main.py` finds them."""
