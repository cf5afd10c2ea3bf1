"""`python -m tracer` is the `tracer` command."""

from tracer.cli.entry import main

if __name__ == "__main__":
    main()
