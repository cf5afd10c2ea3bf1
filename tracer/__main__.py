"""`python -m tracer`: the same as the `tracer` command."""

from tracer.cli.main import main

if __name__ == "__main__":
    main()
