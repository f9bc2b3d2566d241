//! The codes of this crate. Each has a page `docs/errors/<CODE>.md`.

use runbook_syntax::Code;

/// A code and its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub code: Code,
    /// A few words, no full stop.
    pub title: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = concat!($code, ": ", $title, ".")] pub const $name: Code = Code($code);)*

        /// All codes of this crate, in order.
        pub const ALL: &[Entry] = &[$(Entry { code: $name, title: $title },)*];
    };
}

codes! {
    VALUE_TYPE = "E320", "A value has the wrong type";
    EXPRESSION_TYPE = "E321", "An expression gives a value of the wrong type";
    EXPRESSION_FAILS = "E322", "An expression has no value";
    NOT_FIXED = "E323", "A value must be known before the run";
    PARAMETER_UNKNOWN = "E324", "The step type has no such parameter";
    PARAMETER_MISSING = "E325", "A parameter is missing";
    PARAMETER_CHOICE = "E326", "Parameters do not go together";
    PARAMETER_VERBATIM = "E327", "An expression stands in a parameter that decides what runs";
    TYPE_DECLARATION = "E328", "A type declaration makes no sense";
    INPUT_UNDECLARED = "E329", "The runbook has no such input";
    INPUT_MISSING = "E330", "An input has no value";
    INPUT_VALUE = "E331", "An input's value is not allowed";

    UNKNOWN_NAME = "E401", "A name means nothing here";
    UNKNOWN_INPUT = "E402", "There is no such input";
    UNKNOWN_STEP = "E403", "There is no such step";
    UNKNOWN_OUTPUT = "E404", "The step has no such output";
    NOT_AN_ANCESTOR = "E405", "A step is read that need not have run yet";
    HIDDEN_IN_GROUP = "E406", "A step inside a group is read from outside";
    MAY_BE_ABSENT = "E407", "A value that may be absent is read without a default";
    UNKNOWN_FIELD = "E408", "There is no such field";
    NAME_NOT_HERE = "E409", "A name has no meaning at this place";
    NEEDS_UNKNOWN = "E410", "A step needs one that does not exist";
    NEEDS_NOT_SIBLING = "E411", "A step needs one that is not beside it";
    CYCLE = "E412", "Steps need each other in a circle";
    SWITCH_NOT_EXHAUSTIVE = "E413", "A switch does not cover every value";
    CASE_UNREACHABLE = "E414", "A case can never be chosen";
    UNKNOWN_STEP_TYPE = "E415", "There is no such step type";
    NOT_A_CHECK = "E416", "A check is wanted here";
    EACH_ITEMS = "E417", "The items of a for_each make no sense";
    BATCHES = "E418", "The batches of a for_each make no sense";
    TOO_MANY_STEPS = "E419", "The plan is too large";
    NAME_TAKEN = "E420", "A name already means something";

    UNDO_MISSING = "E501", "A step that writes does not say how it is undone";
    REASON_MISSING = "E502", "Nothing says why there is no undo";
    UNDO_CONFLICT = "E503", "A step says two things about its undo";
    NOTHING_TO_UNDO = "E504", "A step that changes nothing has an undo";
    EFFECT_FIXED = "E505", "The effect is the step type's to say";
    WITHOUT_EFFECT = "E506", "A key has no effect here";
    PIVOT_PLACE = "E507", "The point of no return stands where there can be none";
    PIVOT_SEVERAL = "E508", "There is more than one point of no return";
    NO_UNDO_HERE = "E509", "A step is never undone here";
    SECRET_PLACE = "E510", "A secret stands where none is allowed";
    SECRET_IN_EXPRESSION = "E511", "A secret is used inside an expression";
    ONLY_CHECKS = "E512", "Only checks and gates are allowed here";
    RETRY_PATTERN = "E513", "A kind of failure is not known";
    GATE_TOLERATED = "E514", "A gate is to count as passed though it failed";
    UNDO_UNSURE = "E515", "An undo would count as done though nothing was brought back";

    FILE_NOT_READ = "E601", "A file cannot be read";
    PATH_OUTSIDE = "E602", "A path leaves the project";
    CALL_CYCLE = "E603", "A runbook calls itself";
    PATH_NOT_LISTED = "E604", "A computed path is not covered by files";
    FILE_TOO_LARGE = "E605", "A file is too large";
    WRONG_DOCUMENT = "E606", "A file is of another kind";
    NO_ENVIRONMENT = "E607", "There is no environment";
    UNKNOWN_ROLE = "E608", "The environment has no such role";
    APPROVAL_IMPOSSIBLE = "E609", "Nobody can give this approval";
    ANSWERS_IN_PROTECTED = "E610", "A protected environment names an answers file";
    UNKNOWN_SECRET = "E611", "There is no such secret";
    FILES_PATTERN = "E612", "A pattern of files makes no sense";
    CALL_TOO_DEEP = "E613", "Calls are nested too deep";
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
