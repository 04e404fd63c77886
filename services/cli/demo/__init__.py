"""What does caseloop do? The main job, played on real input through a running system."""

from services.cli.demo.play import chosen, play

__all__ = ["chosen", "play"]
