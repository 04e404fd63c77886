-- What is left of an outbox row waits for these partitions ('topic/partition', or 'topic' when it is not there) only, which
-- took nothing when it was their turn; all else has arrived. A relay that leaves them alone for a while need not read the row;
-- a relay of an older release reads it as any other.
ALTER TABLE outbox ADD COLUMN waits_for text[];
