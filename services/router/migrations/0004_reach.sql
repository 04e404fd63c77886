-- At which version was it said of a case that nobody of another department may be given it before overflow has its time: it has no
-- agent of its own, is no emergency and asks for no supervisor. A round need not look at such where nobody of their own department is
-- free. An older release moves the version and does not say it again: then anybody may be looked for, which is always safe.
ALTER TABLE cases ADD COLUMN confined_version integer;
