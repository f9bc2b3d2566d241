//! The standard step types, one file each.
