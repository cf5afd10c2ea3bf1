"""The web pages of tracer: one local server over one database, plain HTML that htmx makes quick.

Owns HTTP, templates and the look. View state lives in the URL, what lasts in the database; the
only thing kept in memory is the processes of re-executions started from a page.
"""
