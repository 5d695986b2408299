"""Trainings in mixed or reduced precision."""
