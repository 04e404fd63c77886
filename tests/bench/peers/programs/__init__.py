"""What runs on the peers' side; each program is told by its environment where it stands (``stand.py``)."""
