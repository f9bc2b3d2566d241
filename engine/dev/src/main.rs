//! Maintenance commands of the project.
fn main() {}
