"""Intake: what was said on any channel, understood as contacts and demands."""
