//! Append, recover, locks, inbox and queries over SQLite.
