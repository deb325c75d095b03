"""Vectors: cases of published numbers in a file, and our functions by the group they are tested under.

`contract` reads a file, `registry` names the function of each group, `runner` compares, `report` prints. Page:
`docs/vectors.md`.
"""
