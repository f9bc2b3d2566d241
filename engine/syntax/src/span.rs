//! Places in source text.

/// A source file within one [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// A range of bytes of `file`; positions beyond 4 GiB (which no file reaches) are cut off.
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Span {
        let cut = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file, start: cut(range.start), end: cut(range.end) }
    }

    /// The range of bytes.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

/// A line and column, both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// A source file's name (as it is shown, relative to the project or as given) and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub name: String,
    pub text: String,
}

/// All source text of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// Of each file: where its lines begin.
    lines: Vec<Vec<u32>>,
}

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let file = SourceFile { name: name.into(), text: text.into() };
        let newlines = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = newlines.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
        self.lines.push(std::iter::once(0).chain(starts).collect());
        self.files.push(file);
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// The file of this id.
    ///
    /// # Panics
    /// If the id is of another `Sources`.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// All files in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }

    /// The text under a span.
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.range()).unwrap_or_default()
    }

    /// Where a span begins.
    pub fn position(&self, span: Span) -> Position {
        let text = &self.file(span.file).text;
        let lines = &self.lines[span.file.0 as usize];
        // The first line begins at 0, so that there is always a line at or before the span.
        let line = lines.partition_point(|start| *start <= span.start) - 1;
        let line_start = lines[line] as usize;
        let before = text[line_start..text.floor_char_boundary(span.start as usize).max(line_start)].chars();
        // A byte order mark is no column.
        let column = before.filter(|c| *c != '\u{feff}').count();
        Position { line: line as u32 + 1, column: column as u32 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str, at: usize) -> (u32, u32) {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text);
        let found = sources.position(Span::new(file, at..at));
        (found.line, found.column)
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(position("é: ü\n  b", 6), (1, 5));
        assert_eq!(position("a\r\nb: c", 6), (2, 4));
    }

    #[test]
    fn a_byte_order_mark_is_no_column() {
        assert_eq!(position("\u{feff}a: 1", 3), (1, 1));
    }

    #[test]
    fn the_end_of_the_text_and_beyond() {
        assert_eq!(position("a\n", 2), (2, 1));
        assert_eq!(position("a\nbc", 99), (2, 3));
        assert_eq!(position("", 0), (1, 1));
    }

    #[test]
    fn the_middle_of_a_character_is_its_start() {
        assert_eq!(position("aé", 2), (1, 2));
    }
}
