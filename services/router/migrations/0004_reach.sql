-- Whether somebody of another department may be given the case before overflow has its time: the customer's own agent, or
-- whoever is there in an emergency or for a supervisor's case. A round need not look at others where nobody of their own
-- department is free. A row that an older release writes says yes, which is always safe.
ALTER TABLE cases ADD COLUMN anywhere boolean NOT NULL DEFAULT true;
