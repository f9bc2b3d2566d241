//! What a crate's shipped sources never name: looked for in the parsed source, so that neither an alias, a group over
//! several lines nor a macro's arguments hide it. Comments and test modules do not count.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

use crate::Source;

/// Places where a source names what its crate never names. A word is a path (`std::fs`, `Instant`), a method
/// (`exists()`) or a macro (`println!`).
pub fn violations(never: &[String], source: &Source) -> Vec<String> {
    let names = names(source);
    let mut found: Vec<(usize, &String)> = Vec::new();
    for word in never {
        found.extend(names.iter().filter(|name| name.is(word)).map(|name| (name.line, word)));
    }
    found.sort();
    found.dedup();
    found
        .iter()
        .map(|(line, word)| format!("{}:{line}: `{word}` is not for this crate", source.path))
        .collect()
}

/// The string literals of a source that ships, with their lines.
pub fn literals(source: &Source) -> Vec<(usize, String)> {
    walk(source).literals
}

/// Something that a source names.
#[derive(Debug)]
struct Name {
    line: usize,
    /// As if nothing were imported: `std::fs::read`.
    segments: Vec<String>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Path,
    Method,
    Macro,
}

impl Name {
    fn is(&self, word: &str) -> bool {
        let last = self.segments.last().map(String::as_str);
        if let Some(name) = word.strip_suffix('!') {
            return self.kind == Kind::Macro && last == Some(name);
        }
        if let Some(name) = word.strip_suffix("()") {
            return self.kind == Kind::Method && last == Some(name);
        }
        let wanted: Vec<&str> = word.split("::").collect();
        self.kind != Kind::Method && self.segments.windows(wanted.len()).any(|window| window == wanted)
    }
}

fn names(source: &Source) -> Vec<Name> {
    walk(source).names
}

fn walk(source: &Source) -> Walk {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    // Names are looked up in all imports of the file: a module inside it that imports something else by the same name
    // would be looked at too strictly, never too loosely, since the original name is looked at as well.
    let mut walk = Walk { gather: true, ..Walk::default() };
    walk.visit_file(&file);
    walk.gather = false;
    walk.visit_file(&file);
    walk
}

#[derive(Default)]
struct Walk {
    /// The first pass: imports only.
    gather: bool,
    /// What a name in this file stands for.
    aliases: HashMap<String, Vec<String>>,
    names: Vec<Name>,
    literals: Vec<(usize, String)>,
}

impl Walk {
    fn import(&mut self, tree: &UseTree, before: &[String], line: usize) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident), line),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before, line)),
            UseTree::Glob(_) => self.name(before.to_vec(), Kind::Path, line),
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = before.last() {
                    self.imported(last.clone(), before.to_vec(), line);
                }
            }
            UseTree::Name(name) => self.imported(name.ident.to_string(), with(&name.ident), line),
            UseTree::Rename(rename) => self.imported(rename.rename.to_string(), with(&rename.ident), line),
        }
    }

    fn imported(&mut self, alias: String, path: Vec<String>, line: usize) {
        if self.gather {
            self.aliases.insert(alias, path);
        } else {
            self.name(path, Kind::Path, line);
        }
    }

    fn name(&mut self, segments: Vec<String>, kind: Kind, line: usize) {
        if !self.gather {
            let resolved = if kind == Kind::Path { self.resolve(&segments) } else { segments };
            self.names.push(Name { line, segments: resolved, kind });
        }
    }

    /// The path with its first name replaced by what was imported under it.
    fn resolve(&self, segments: &[String]) -> Vec<String> {
        let mut path = segments.to_vec();
        // As often as an alias can stand for an alias that stands in the same file.
        for _ in 0..4 {
            let Some(whole) = path.first().and_then(|first| self.aliases.get(first)) else { break };
            if whole.first() == path.first() {
                return [&whole[..], &path[1..]].concat();
            }
            path = [&whole[..], &path[1..]].concat();
        }
        path
    }

    /// A macro's arguments are not parsed by the language: paths in them are what looks like one.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.flush(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(punct) if punct.as_char() == '!' && !path.is_empty() => {
                    let path = std::mem::take(&mut path);
                    self.name(path, Kind::Macro, line);
                }
                TokenTree::Group(group) => {
                    self.flush(&mut path, line);
                    colons = 0;
                    self.tokens(group.stream());
                }
                TokenTree::Literal(literal) => {
                    self.flush(&mut path, line);
                    colons = 0;
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.literal(text.value(), literal.span().start().line);
                    }
                }
                TokenTree::Punct(_) => {
                    self.flush(&mut path, line);
                    colons = 0;
                }
            }
        }
        self.flush(&mut path, line);
    }

    fn flush(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            let path = std::mem::take(path);
            self.name(path, Kind::Path, line);
        }
    }

    fn literal(&mut self, text: String, line: usize) {
        if !self.gather {
            self.literals.push((line, text));
        }
    }
}

/// `#[cfg(test)]`, `#[cfg(any(test, …))]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            words == "test" || words.starts_with("any (test") || words.starts_with("any(test")
        }
        _ => false,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let line = item.use_token.span.start().line;
        self.import(&item.tree, &[], line);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.name(segments, Kind::Path, line);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.name(vec![call.method.to_string()], Kind::Method, call.method.span().start().line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let line = call.path.segments.first().map_or(0, |first| first.ident.span().start().line);
        let segments = call.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.name(segments, Kind::Macro, line);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // `serde` in a derive's attributes is as much an import as any; doc comments are not.
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
            if let syn::Meta::List(list) = &attribute.meta {
                self.tokens(list.tokens.clone());
            }
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.literal(literal.value(), literal.span().start().line);
    }
}
