//! One doc comment is a step type's summary, its reference page, and its Rust documentation.

/// Declares a step type: a unit struct whose doc comment is its reference page.
///
/// The first paragraph of the doc comment is the one-line summary, the rest the page. The function named last gets a
/// [`Declaration`](crate::Declaration) with name, summary and page filled in, and adds the rest. The macro gives the
/// struct one function, `declared() -> &'static Declaration`; [`Step`](crate::Step) is implemented by hand.
///
/// ```
/// use runbook_step::{BoxFuture, Call, Context, Declaration, Map, Outcome, Param, Step, Type, step_type};
///
/// step_type! {
///     /// Says hello.
///     ///
///     /// ```yaml
///     /// - uses: example.hello
///     ///   with: {name: Ana}
///     /// ```
///     pub struct Hello = "example.hello", declare;
/// }
///
/// fn declare(it: Declaration) -> Declaration {
///     it.pure()
///         .param(Param::required("name", Type::string()).doc("Whom to greet."))
///         .output("text", Type::string(), "The greeting.")
/// }
///
/// impl Step for Hello {
///     fn declaration(&self) -> &Declaration {
///         Self::declared()
///     }
///
///     fn run<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
///         Box::pin(async move {
///             match call.str("name") {
///                 Ok(name) => Outcome::done(Map::from([("text".into(), format!("Hello, {name}.").into())])),
///                 Err(error) => error.into(),
///             }
///         })
///     }
/// }
///
/// assert_eq!(Hello.declaration().summary, "Says hello.");
/// assert!(Hello.declaration().doc.starts_with("```yaml\n- uses: example.hello"));
/// ```
#[macro_export]
macro_rules! step_type {
    ($(#[doc = $line:literal])+ $vis:vis struct $name:ident = $step:literal, $declare:path;) => {
        $(#[doc = $line])+
        #[derive(Debug, Clone, Copy, Default)]
        $vis struct $name;

        impl $name {
            $vis fn declared() -> &'static $crate::Declaration {
                static DECLARATION: std::sync::LazyLock<$crate::Declaration> = std::sync::LazyLock::new(|| {
                    const SUMMARY: &[&str] = &[$($line),+];
                    $declare($crate::Declaration::new($step).page(SUMMARY))
                });
                &DECLARATION
            }
        }
    };
}

impl crate::Declaration {
    /// Summary and page from the lines of a doc comment, as [`step_type!`](crate::step_type) hands them over.
    #[doc(hidden)]
    #[must_use]
    pub fn page(self, lines: &[&'static str]) -> Self {
        let bare = |line: &'static str| line.strip_prefix(' ').unwrap_or(line);
        let (summary, page) = lines.split_first().map_or(("", lines), |(first, rest)| (bare(first), rest));
        let page: Vec<_> = page.iter().map(|line| bare(line)).collect();
        self.summary(summary).doc(page.join("\n").trim().to_owned())
    }
}
