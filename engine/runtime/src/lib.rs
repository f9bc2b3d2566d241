//! Performs the kernel's commands and records what happened.
