"""Runs judged: what another model, parameter set or policy would have done, and by the field's own statistics."""
