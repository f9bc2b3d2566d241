//! Steps that wait for people, and waits.

use super::{Lower, entries};
use crate::ast::{Approval, Checklist, ChecklistItem, Prompt, Wait};
use crate::tree::{Node, Value};

impl Lower<'_> {
    pub(super) fn wait(&mut self, node: &Node<'_>) -> Option<Wait> {
        let (mut check, mut every, mut hold, mut timeout) = (None, None, None, None);
        for (key, _, value) in entries(node) {
            match key {
                "for" => return self.data(value).map(Wait::For),
                "until" => check = self.action_use(value),
                "every" => every = self.data(value),
                "hold" => hold = self.data(value),
                "timeout" => timeout = self.data(value),
                _ => {}
            }
        }
        Some(Wait::Until { check: check?, every, hold, timeout })
    }

    pub(super) fn approval(&mut self, node: &Node<'_>) -> Option<Approval> {
        if !matches!(node.value, Value::Map(_)) {
            return None;
        }
        let mut approval = Approval::default();
        for (key, _, value) in entries(node) {
            match key {
                "message" => approval.message = self.data(value),
                "count" => approval.count = self.data(value),
                "from" => approval.from = self.fixed_list(value),
                "exclude_requester" => approval.exclude_requester = self.flag(value),
                "timeout" => approval.timeout = self.data(value),
                "valid_for" => approval.valid_for = self.data(value),
                "show" => approval.show = self.data_entries(value),
                _ => {}
            }
        }
        Some(approval)
    }

    pub(super) fn checklist(&mut self, node: &Node<'_>) -> Option<Checklist> {
        let mut checklist = Checklist::default();
        match &node.value {
            Value::List(_) => checklist.items = self.each(node, Lower::checklist_item),
            Value::Map(_) => {
                for (key, _, value) in entries(node) {
                    match key {
                        "items" => checklist.items = self.each(value, Lower::checklist_item),
                        "timeout" => checklist.timeout = self.data(value),
                        _ => {}
                    }
                }
            }
            _ => return None,
        }
        Some(checklist)
    }

    fn checklist_item(&mut self, node: &Node<'_>) -> Option<ChecklistItem> {
        let span = self.span(node);
        let (mut id, mut text, mut owner, mut required, mut evidence) = (None, None, None, None, None);
        match &node.value {
            Value::Map(_) => {
                for (key, _, value) in entries(node) {
                    match key {
                        "id" => id = self.fixed(value),
                        "text" => text = self.data(value),
                        "owner" => owner = self.fixed(value),
                        "required" => required = self.flag(value),
                        "evidence" => evidence = self.fixed(value),
                        _ => {}
                    }
                }
            }
            _ => text = self.data(node),
        }
        Some(ChecklistItem { span, id, text: text?, owner, required, evidence })
    }

    pub(super) fn prompt(&mut self, node: &Node<'_>) -> Option<Prompt> {
        let (mut message, mut timeout) = (None, None);
        for (key, _, value) in entries(node) {
            match key {
                "message" => message = self.data(value),
                "timeout" => timeout = self.data(value),
                _ => {}
            }
        }
        let ty = self.type_or(node, Some("string"));
        Some(Prompt { message: message?, ty, timeout })
    }

    /// Ids of a checklist's items are its own.
    pub(super) fn item_ids(&mut self, checklist: &Checklist) {
        let mut seen = std::collections::HashMap::new();
        for item in &checklist.items {
            if let Some(id) = &item.id {
                self.unique(&mut seen, id, "item");
            }
        }
    }
}
