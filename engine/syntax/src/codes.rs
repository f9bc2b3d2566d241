//! The codes of this crate. Each has a page `docs/errors/<CODE>.md`.

use crate::Code;

/// A code and its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub code: Code,
    /// A few words, no full stop.
    pub title: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        $($(#[$doc])* #[doc = concat!($code, ": ", $title, ".")] pub const $name: Code = Code($code);)*

        /// All codes of this crate, in order.
        pub const ALL: &[Entry] = &[$(Entry { code: $name, title: $title },)*];
    };
}

codes! {
    YAML_SYNTAX = "E101", "This is not well-formed YAML";
    UNQUOTED_EXPRESSION = "E102", "An expression breaks the YAML around it and needs quotes";
    TAB_INDENTATION = "E103", "A tab stands where YAML wants spaces";
    UNCLOSED = "E104", "A quote or bracket is not closed";
    INDENTATION = "E105", "The indentation does not fit";
    COLON_IN_TEXT = "E106", "A colon makes a second key out of text";
    ALIAS = "E107", "An alias cannot be followed";
    TOO_DEEP = "E108", "Nesting is too deep";
    TOO_LARGE = "E109", "The file is too large";
    SEVERAL_DOCUMENTS = "E110", "There is more than one YAML document";
    TAG = "E111", "A YAML tag means nothing here";
    CHARACTER = "E112", "A character is not allowed here";
    NUMBER = "E113", "A number cannot be represented";
    KEY_NOT_TEXT = "E114", "A key is not text";
    AMBIGUOUS_BOOLEAN = "E115", "A word is text to some YAML tools and a boolean to others";
    TOO_MANY_FAULTS = "E199", "There are more faults than are shown";

    UNKNOWN_KEY = "E201", "The key is not known here";
    DUPLICATE_KEY = "E202", "The key is there twice";
    MISSING_KEY = "E203", "A key is missing";
    WRONG_SHAPE = "E204", "The value has the wrong shape";
    UNKNOWN_VALUE = "E205", "The value is not one of those allowed";
    BAD_NAME = "E206", "A name or id is not well formed";
    DUPLICATE_ID = "E207", "Two steps have the same id";
    NO_KIND = "E208", "Nothing says what to do";
    SEVERAL_KINDS = "E209", "Two keys say what to do";
    EMPTY = "E210", "Something is empty";
    API_VERSION = "E211", "The `apiVersion` is not supported";
    DOCUMENT_KIND = "E212", "The `kind` of document is not supported";
    NOT_ENFORCED = "E213", "The key is not enforced yet";
    MISPLACED_KEY = "E214", "The key does not go with this kind of step";

    EXPRESSION_OPEN = "E301", "An expression is not closed";
    EXPRESSION_SYNTAX = "E302", "An expression is not well formed";
    EXPRESSION_NAME = "E303", "A filter, test or function is not known";
    DYNAMIC_SUBSCRIPT = "E304", "A name must be written out to be checked";
    EXPRESSION_TOO_LONG = "E305", "An expression is too long";
    EXPRESSION_IN_SCRIPT = "E306", "An expression stands inside a script";
    EXPRESSION_NOT_ALLOWED = "E307", "An expression stands where the text must be fixed";
    NOT_ONE_EXPRESSION = "E308", "A condition is not one expression";
}

/// The title of a code of this crate.
pub fn title(code: Code) -> Option<&'static str> {
    ALL.iter().find(|entry| entry.code == code).map(|entry| entry.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_unique() {
        assert!(ALL.is_sorted_by(|a, b| a.code < b.code));
    }
}
