"""Frameworks, watched where they run a tool or an agent: one file each, loaded with the framework.

Which places are patched stands in `tracer.capture.seams`; how a call there becomes a step, in
`seam.py`. The seam is the innermost place where arguments and result are plain data, mostly the
user's own function, so that the framework's wrapping of the result runs again in a re-execution.
"""
