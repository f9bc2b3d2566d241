//! Inputs, types, secrets, locks, defaults.

use super::{Lower, entries, items};
use crate::Spanned;
use crate::ast::{Defaults, InputDecl, LockDecl, SecretDecl, SecretProvider, TypeDecl};
use crate::tree::{Node, Value};

impl Lower<'_> {
    /// A list of things.
    pub(super) fn each<T>(
        &mut self,
        node: &Node<'_>,
        mut thing: impl FnMut(&mut Self, &Node<'_>) -> Option<T>,
    ) -> Vec<T> {
        items(node).iter().filter_map(|item| thing(self, item)).collect()
    }

    pub(super) fn input(&mut self, node: &Node<'_>) -> Option<InputDecl> {
        let mut input = InputDecl {
            span: self.span(node),
            ty: self.type_decl(node)?,
            default: None,
            prompt: None,
            summary: None,
            required: None,
        };
        for (key, _, value) in entries(node) {
            match key {
                "default" => input.default = self.data(value),
                "prompt" => input.prompt = self.fixed(value),
                "summary" => input.summary = self.fixed(value),
                "required" => input.required = self.flag(value),
                _ => {}
            }
        }
        Some(input)
    }

    /// A type by name or declared; keys that are not a type's are passed over. Where its name is missing or broken it is
    /// `any`, so that what is declared stays known and nothing more is said of it.
    pub(super) fn type_decl(&mut self, node: &Node<'_>) -> Option<TypeDecl> {
        self.type_or(node, None)
    }

    /// The same, where a type may be left out.
    pub(super) fn type_or(&mut self, node: &Node<'_>, default: Option<&str>) -> Option<TypeDecl> {
        let span = self.span(node);
        let any = |name: &str| TypeDecl {
            span,
            name: Spanned::new(name.to_owned(), span),
            pattern: None,
            min: None,
            max: None,
            one_of: Vec::new(),
            of: None,
            fields: Vec::new(),
            extra_ignore: false,
        };
        if let Value::Text(_) = node.value {
            return Some(TypeDecl { name: self.fixed(node)?, ..any("any") });
        }
        let Value::Map(_) = node.value else { return Some(any("any")) };
        let mut ty = any(default.unwrap_or("any"));
        let mut known = default.is_some();
        for (key, _, value) in entries(node) {
            match key {
                "type" => {
                    known = !matches!(value.value, Value::Broken);
                    ty.name = self.fixed(value).unwrap_or(ty.name);
                }
                "pattern" => ty.pattern = self.fixed(value),
                "min" => ty.min = self.data(value),
                "max" => ty.max = self.data(value),
                "one_of" => ty.one_of = self.data_list(value),
                "of" => ty.of = self.type_decl(value).map(Box::new),
                "fields" => ty.fields = self.named(value, Lower::type_decl),
                "extra" => ty.extra_ignore = self.fixed(value).is_some(),
                _ => {}
            }
        }
        Some(if known { ty } else { any("any") })
    }

    pub(super) fn secret(&mut self, node: &Node<'_>) -> Option<SecretDecl> {
        let provider = entries(node).find_map(|(key, _, value)| match key {
            "env" => self.fixed(value).map(SecretProvider::Env),
            "file" => self.fixed(value).map(SecretProvider::File),
            "command" if !items(value).is_empty() => Some(SecretProvider::Command(self.fixed_list(value))),
            _ => None,
        })?;
        Some(SecretDecl { span: self.span(node), provider })
    }

    pub(super) fn lock(&mut self, node: &Node<'_>) -> Option<LockDecl> {
        let (mut name, mut if_held, mut timeout) = (None, None, None);
        for (key, _, value) in entries(node) {
            match key {
                "name" => name = self.data(value),
                "if_held" => if_held = self.fixed(value),
                "timeout" => timeout = self.data(value),
                _ => {}
            }
        }
        Some(LockDecl { span: self.span(node), name: name?, if_held, timeout })
    }

    pub(super) fn defaults(&mut self, node: &Node<'_>) -> Defaults {
        let mut defaults = Defaults::default();
        for (key, _, value) in entries(node) {
            match key {
                "timeout" => defaults.timeout = self.data(value),
                "retry" => defaults.retry = self.retry(value),
                "shell" => defaults.shell = self.fixed(value),
                "with" => defaults.with = self.named(value, |lower, with| Some(lower.data_entries(with))),
                _ => {}
            }
        }
        defaults
    }
}
