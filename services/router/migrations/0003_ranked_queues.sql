-- C7: the priority of a waiting case at a moment, in whole points.
CREATE FUNCTION priority_at(
    points integer, target_seconds integer, aged_from timestamptz, moment timestamptz,
    age_points_max bigint, age_step_seconds bigint, age_step_points bigint, deadline_points_max bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT points
        + LEAST(age_points_max, GREATEST(0, floor(date_part('epoch', moment - aged_from)))::bigint
            / age_step_seconds * age_step_points)
        + deadline_points_max
            * LEAST(GREATEST(0, floor(date_part('epoch', moment - aged_from)))::bigint, target_seconds) / target_seconds
$$;
-- Cases of one class (points and target) grow older together: among them the oldest is always the first. There are few classes,
-- so the first of a queue are found at their heads, however long it is.
CREATE INDEX cases_ranked ON cases (queue, points, target_seconds, aged_from, case_id) WHERE queue IS NOT NULL;
DROP INDEX cases_queue;
