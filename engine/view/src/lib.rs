//! What a run looks like: folds of recorded events.
