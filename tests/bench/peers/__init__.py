"""What would a user build or pick instead? Each does W4p: one record, five durable steps, one ``closed`` record.

One module for each peer says how it runs and counts what it has kept (``stand.py`` is what they have in common);
``programs/`` is what runs.
"""
