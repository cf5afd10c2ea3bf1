"""Fixtures of the re-execution tests."""

from tests.support.agents import bench
from tests.support.processes import desk

__all__ = ["bench", "desk"]
