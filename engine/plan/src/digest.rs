//! The digest of a plan: what people approve.

use std::collections::BTreeMap;

use crate::model::Digest;

/// Of the files of a plan, by path from the root, and of what they mean to the kernel. Neither the machine nor the order
/// in which files were read goes into it, nor do the values of inputs: these are shown beside it.
pub(crate) fn digest(runbook: &str, environment: Option<&str>, files: &BTreeMap<String, Vec<u8>>) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("runbook plan v1");
    let mut field = |bytes: &[u8]| {
        // With the length in front no two different lists of fields read the same.
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(&runbook_kernel::SEMANTICS.to_le_bytes());
    field(runbook.as_bytes());
    field(environment.unwrap_or_default().as_bytes());
    for (path, bytes) in files {
        field(path.as_bytes());
        field(bytes);
    }
    Digest(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any difference in names or content shows; the split between them cannot be moved unseen.
        #[test]
        fn different_plans_have_different_digests(
            a in prop::collection::btree_map("[ab]{0,2}", prop::collection::vec(97u8..99, 0..3), 0..3),
            b in prop::collection::btree_map("[ab]{0,2}", prop::collection::vec(97u8..99, 0..3), 0..3),
        ) {
            prop_assert_eq!(a == b, digest("r", None, &a) == digest("r", None, &b));
        }
    }
}
