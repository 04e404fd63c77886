-- A retry may change nothing: what the record tells has been taken, or overtaken, meanwhile. Whoever asked for it must see that.
ALTER TABLE parked DROP CONSTRAINT parked_status_check;
ALTER TABLE parked ADD CONSTRAINT parked_status_check CHECK (status IN ('retry', 'dead', 'retried', 'no_effect', 'discarded'));
