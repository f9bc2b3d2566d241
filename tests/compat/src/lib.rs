//! What released versions wrote, read for ever: see `tests/`.
//!
//! `records/N.jsonl` (and `outlines`, `messages`) holds records of format N, at least one of each type and of each word that a field may hold. The
//! file of a released version never changes; a version that adds a type or a word adds lines to the newest file, or a
//! file of its own. `journals/N.sql` is a journal of format N, with a run to be finished.
