//! Steps that wait for people.

use std::collections::BTreeSet;

use runbook_kernel::{Human, Kind, Ms, NodeId};
use runbook_step::Type;
use runbook_syntax::ast::{Approval, Checklist, Data, Prompt, Step};
use runbook_syntax::{Diagnostic, Spanned};

use super::Draft;
use crate::codes;
use crate::model::{ApprovalSpec, ChecklistItemSpec, PromptSpec, Work};
use crate::planner::Planner;
use crate::scope::{At, Place};

/// Where a file says nothing: a day. Every wait has an end.
const TIMEOUT: Ms = 86_400_000;

impl Planner<'_> {
    pub(super) fn approval(&self, id: NodeId, approval: &Spanned<Approval>, draft: &mut Draft) {
        let place = self.place(id);
        let start = Place { at: At::Start, ..place };
        let decl = &approval.value;
        let count = decl.count.as_ref().and_then(|count| self.count(count, start, "`count`", 1)).unwrap_or(1);
        let exclude_requester = decl.exclude_requester.as_ref().is_some_and(|yes| yes.value);
        // Who asks for the run matters only where it is sure to come to this approval.
        let requester = self.setting.requester.filter(|_| exclude_requester && self.always(id));
        let from = self.people(approval, count, requester);
        let valid_for = decl.valid_for.as_ref().and_then(|time| self.period(time, start, "`valid_for`"));
        let show = decl
            .show
            .iter()
            .filter_map(|(name, data)| Some((name.value.clone(), self.free_template(data, place)?)));
        draft.plan.work = Work::Approval(ApprovalSpec {
            message: decl.message.as_ref().and_then(|message| self.text_template(message, place)),
            count,
            from,
            from_text: decl.from.iter().map(|name| name.value.clone()).collect(),
            exclude_requester,
            valid_for,
            show: show.collect(),
        });
        let timeout = self.patience(&decl.timeout, start);
        draft.kernel.kind = Kind::Human(Human { count, exclude_requester, timeout });
    }

    /// A gate that failed never counts as passed, so nothing may put up with that.
    pub(super) fn check_gate(&self, step: &Step) {
        let own =
            step.continue_on_error.iter().filter(|yes| yes.value).map(|yes| ("continue_on_error", yes.span));
        let each = step.for_each.iter().flat_map(|each| {
            each.max_failures
                .iter()
                .chain(each.batches.iter().filter_map(|batch| batch.max_failures.as_ref()))
        });
        let none = |data: &Spanned<Data>| matches!(data.value, Data::Int(0));
        let each = each.filter(|data| !none(data)).map(|data| ("max_failures", data.span));
        for (key, span) in own.chain(each) {
            let message = format!("`{key}` would let a gate count as passed that nobody opened");
            let hint = "Leave it out: what was rejected, or not answered in time, stops the run. For a question whose \
                        answer is taken either way, use `prompt` and `when`.";
            self.report.push(Diagnostic::error(codes::GATE_TOLERATED, span, message).hint(hint));
        }
    }

    /// Who may approve, roles resolved. An approval that they cannot give is reported.
    fn people(&self, approval: &Spanned<Approval>, count: u32, requester: Option<&str>) -> Vec<String> {
        let mut people: BTreeSet<String> = BTreeSet::new();
        let mut complete = true;
        for from in &approval.value.from {
            let Some(role) = from.value.strip_prefix("role:") else {
                people.insert(from.value.clone());
                continue;
            };
            match self.setting.roles.get(role) {
                Some(names) => people.extend(names.iter().cloned()),
                None => {
                    complete = false;
                    if self.setting.open {
                        continue;
                    }
                    let diagnostic = match self.setting.doc {
                        Some(_) => {
                            let roles = self.setting.roles.keys().copied();
                            let hint = self.report.did_you_mean(role, roles).unwrap_or_else(|| {
                                format!("Say who has it: `roles: {{{role}: [NAME]}}` in the environment.")
                            });
                            let name = self.setting.name.as_deref().unwrap_or_default();
                            let message = format!("the environment `{name}` has no role `{role}`");
                            Diagnostic::error(codes::UNKNOWN_ROLE, from.span, message).hint(hint)
                        }
                        None => {
                            let message = format!(
                                "who has the role `{role}` is said by the environment, and there is none"
                            );
                            Diagnostic::error(codes::NO_ENVIRONMENT, from.span, message)
                                .hint("Choose one: `-e NAME`.")
                        }
                    };
                    self.report.push(diagnostic);
                }
            }
        }
        if complete && !approval.value.from.is_empty() {
            self.check_enough(approval, count, requester, &people);
        }
        people.into_iter().collect()
    }

    /// An approval that these people cannot give, or not to the one who asks for the run.
    fn check_enough(
        &self,
        approval: &Spanned<Approval>,
        count: u32,
        requester: Option<&str>,
        people: &BTreeSet<String>,
    ) {
        let left_out = requester.filter(|who| people.contains(*who));
        let may = people.len() - usize::from(left_out.is_some());
        if may >= count as usize {
            return;
        }
        let span = approval.value.count.as_ref().map_or(approval.span, |count| count.span);
        let message = match may {
            0 => "nobody may give this approval".to_owned(),
            1 => format!("{count} people must agree, and only one may"),
            n => format!("{count} people must agree, and only {n} may"),
        };
        let names: Vec<&str> = people.iter().map(String::as_str).collect();
        let hint = match (left_out, &names[..]) {
            (_, []) => "The role has no members.".to_owned(),
            (None, names) => format!("Those who may: {}.", names.join(", ")),
            (Some(who), names) => format!(
                "`{who}` asks for this run, and is left out by `exclude_requester`: of {}. Let somebody else run it, or \
                 let more people approve.",
                names.join(", ")
            ),
        };
        self.report.push(Diagnostic::error(codes::APPROVAL_IMPOSSIBLE, span, message).hint(hint));
    }

    pub(super) fn checklist(&self, id: NodeId, checklist: &Spanned<Checklist>, draft: &mut Draft) {
        let place = self.place(id);
        let items = checklist.value.items.iter().enumerate().filter_map(|(number, item)| {
            Some(ChecklistItemSpec {
                id: item.id.as_ref().map_or_else(|| format!("item_{}", number + 1), |id| id.value.clone()),
                text: self.text_template(&item.text, place)?,
                owner: item.owner.as_ref().map(|owner| owner.value.clone()),
                required: item.required.as_ref().is_none_or(|required| required.value),
                evidence: item.evidence.as_ref().map(|evidence| evidence.value.clone()),
            })
        });
        draft.plan.work = Work::Checklist(items.collect());
        draft.kernel.kind = self.one_person(&checklist.value.timeout, place);
    }

    pub(super) fn prompt(&self, id: NodeId, prompt: &Spanned<Prompt>, draft: &mut Draft) {
        let place = self.place(id);
        let ty = prompt.value.ty.as_ref().map_or_else(Type::string, |ty| self.types.declared(ty));
        if let (Type::Secret { .. } | Type::File, Some(decl)) = (&ty, &prompt.value.ty) {
            let message = "an answer is stored with the run: it can be neither a secret nor a file";
            let hint = "Ask for text, a number, a boolean, a duration or one of some words.";
            self.report.push(Diagnostic::error(codes::TYPE_DECLARATION, decl.span, message).hint(hint));
        }
        if let Some(message) = self.text_template(&prompt.value.message, place) {
            draft.plan.work = Work::Prompt(PromptSpec { message, ty });
        }
        draft.kernel.kind = self.one_person(&prompt.value.timeout, place);
    }

    fn one_person(&self, timeout: &Option<Spanned<Data>>, place: Place) -> Kind {
        let timeout = self.patience(timeout, Place { at: At::Start, ..place });
        Kind::Human(Human { count: 1, exclude_requester: false, timeout })
    }

    fn patience(&self, timeout: &Option<Spanned<Data>>, start: Place) -> Option<Ms> {
        let given = timeout.as_ref().and_then(|timeout| self.period(timeout, start, "`timeout`"));
        Some(given.unwrap_or(TIMEOUT))
    }
}
