"""Measurements of this project, as ratios against a named peer or bound in the same process; never part of a test."""
