-- What the brokers deleted before this service had read it: nobody here can bring it back, so somebody must know. Never deleted.
CREATE TABLE missed (
    topic text NOT NULL,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset > first_offset),
    noticed_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, first_offset)
);
