-- What is still to be derived, whatever else there is: a start looks at nothing that has all.
CREATE INDEX recordings_to_derive ON recordings (derived_recipes, recording) WHERE state = 'ended' AND deleting = 0;
