-- Only who says that it asks for what is due reads this index: it is empty in good times, and then seems to be the cheapest way to
-- anything that waits; while a transaction that somebody left open keeps what was due, it is long.
DROP INDEX deliveries_due_at;
CREATE INDEX deliveries_due_at ON deliveries (due_at)
    WHERE due_at IS NOT NULL AND state IN ('queued', 'sending', 'unknown');
