-- Looking at what may be personal is kept as well, and never deleted.
ALTER TABLE parked_actions DROP CONSTRAINT parked_actions_action_check;
ALTER TABLE parked_actions ADD CONSTRAINT parked_actions_action_check CHECK (action IN ('retry', 'discard', 'reveal'));
