"""Tests of the wire formats; a package so that its helpers can be imported."""
