"""The `tracer` command: words, tables, exit codes, progress. One command a file.

A command's file is imported when the command is called, so `tracer run` starts as light as the
program it runs.
"""
