//! What is wanted of an answer, and where an answer differs.

use regex::Regex;
use runbook_step::{
    BadParam, Call, Comparison, Context, Field, HttpResponse, Map, Path, Quantity, Type, Value,
};

use super::exchange::{json, latency_ms, shown_header};

/// Hides secrets in a text: what is quoted goes through it before it is cut.
type Hide<'a> = &'a dyn Fn(&str) -> String;

/// `expect:` or `warn:`, taken apart.
pub(crate) struct Expect {
    /// Any of these; empty: any at all.
    status: Vec<StatusRange>,
    headers: Vec<(String, HeaderWanted)>,
    contains: Vec<String>,
    matches: Option<Regex>,
    json: Vec<(Path, Value)>,
    latency: Option<Comparison>,
}

/// Statuses from the first to the second, as they were written.
struct StatusRange(u16, u16, String);

impl StatusRange {
    fn success() -> StatusRange {
        StatusRange(200, 299, "2xx".into())
    }
}

enum HeaderWanted {
    Present,
    Absent,
    Equals(String),
    Matches(Regex),
}

/// An answer that is not what is wanted.
pub(crate) struct Mismatch {
    /// Every difference: `status = 503, wanted 200; json.queue = 12, wanted < 10`.
    pub(crate) message: String,
    /// The status is one of the differences.
    pub(crate) status: bool,
}

impl Mismatch {
    /// Only the status differs.
    pub(crate) fn of_status(response: &HttpResponse, wanted: &str, ctx: &dyn Context) -> Mismatch {
        Mismatch { message: status_difference(response, wanted, &|text| ctx.hide(text)), status: true }
    }
}

/// The type of `expect.status` alone.
pub(crate) fn status_type() -> Type {
    let one = Type::either([Type::integer_in(100, 599), Type::pattern("^[1-5]xx$")]);
    Type::either([one.clone(), Type::list(one)])
}

/// The type of `expect`.
pub(crate) fn expect_type() -> Type {
    let status = Field::optional("status", status_type())
        .doc("A status, a class such as `2xx`, or a list. Default `2xx`.");
    Type::record([status].into_iter().chain(fields()))
}

/// The type of `warn`: an answer of an unwanted status is a failure, whatever else it is like.
pub(crate) fn warn_type() -> Type {
    Type::record(fields())
}

/// What else can be wanted of an answer.
fn fields() -> [Field; 4] {
    let header = Type::either([
        Type::Boolean,
        Type::string(),
        Type::record([Field::required("matches", Type::string()).doc("A regular expression.")]),
    ]);
    let body = Type::either([
        Type::string(),
        Type::record([
            Field::optional("contains", Type::either([Type::string(), Type::list(Type::string())]))
                .doc("Text that must be in it."),
            Field::optional("matches", Type::string()).doc("A regular expression that must match somewhere."),
        ]),
    ]);
    [
        Field::optional("headers", Type::map_of(header))
            .doc("By name: the value, `{matches: REGEX}`, `true` (is there) or `false` (is not)."),
        Field::optional("body", body).doc("Text that must be in the body, or `{contains: …, matches: REGEX}`."),
        Field::optional("json", Type::Any).doc(
            "What must be in the JSON body: names or paths (`checks[0].ok`) to values. More may be there. `< 10` compares.",
        ),
        Field::optional("latency", Type::Comparison(Quantity::Duration)).doc("Such as `< 500ms`."),
    ]
}

impl Expect {
    /// From the parameter `expect`, or its absence.
    pub(crate) fn read(call: &Call) -> Result<Self, BadParam> {
        let mut expect = Self::of(call, "expect")?;
        if expect.status.is_empty() {
            expect.status.push(StatusRange::success());
        }
        Ok(expect)
    }

    /// From the parameter `warn`, or its absence.
    pub(crate) fn read_warn(call: &Call) -> Result<Self, BadParam> {
        Self::of(call, "warn")
    }

    fn of(call: &Call, param: &str) -> Result<Self, BadParam> {
        let nothing = Map::new();
        let expect = call.get(param).and_then(Value::as_map).unwrap_or(&nothing);
        let body = expect.get("body");
        let of_body = |name: &str| body.and_then(Value::as_map).and_then(|body| body.get(name));
        let contains = match body {
            Some(Value::Str(text)) => vec![text.clone()],
            _ => of_body("contains").map(texts).unwrap_or_default(),
        };
        let matches = of_body("matches").and_then(Value::as_str);
        let latency = expect.get("latency").and_then(Value::as_str);
        Ok(Expect {
            status: expect.get("status").map(statuses).unwrap_or_default(),
            headers: match expect.get("headers") {
                Some(Value::Map(headers)) => {
                    headers.iter().map(|entry| header(param, entry)).collect::<Result<_, _>>()?
                }
                _ => Vec::new(),
            },
            contains,
            matches: matches.map(|pattern| regex(&format!("{param}.body.matches"), pattern)).transpose()?,
            json: expect.get("json").map(|json| json_wanted(param, json)).transpose()?.unwrap_or_default(),
            latency: latency
                .map(|text| {
                    Comparison::parse(text, Quantity::Duration)
                        .map_err(|error| BadParam::new(&format!("{param}.latency"), error))
                })
                .transpose()?,
        })
    }

    /// Only a status, or several.
    pub(crate) fn status(wanted: Option<&Value>) -> Self {
        Expect {
            status: wanted.map(statuses).unwrap_or_else(|| vec![StatusRange::success()]),
            headers: Vec::new(),
            contains: Vec::new(),
            matches: None,
            json: Vec::new(),
            latency: None,
        }
    }

    /// A status that is as wanted.
    pub(crate) fn a_status(&self) -> u16 {
        match self.status.first() {
            Some(StatusRange(from, ..)) => *from,
            None => 200,
        }
    }

    /// Whether the answer is as wanted; if not, every difference.
    pub(crate) fn judge(&self, response: &HttpResponse, ctx: &dyn Context) -> Result<(), Mismatch> {
        let hide = &|text: &str| ctx.hide(text);
        let mut differences = Vec::new();
        let status = response.status;
        let fits = |StatusRange(from, to, _): &StatusRange| (*from..=*to).contains(&status);
        let status_differs = !self.status.is_empty() && !self.status.iter().any(fits);
        if status_differs {
            let wanted: Vec<_> = self.status.iter().map(|StatusRange(_, _, text)| text.as_str()).collect();
            let wanted = wanted.join(" or ");
            differences.push(status_difference(response, &wanted, hide));
        }
        differences.extend(
            self.headers.iter().filter_map(|(name, wanted)| header_difference(response, name, wanted)),
        );
        if !self.contains.is_empty() || self.matches.is_some() {
            differences.extend(self.body_differences(&String::from_utf8_lossy(&response.body), hide));
        }
        if !self.json.is_empty() {
            match json(response) {
                Some(found) => json_differences(&self.json, &found, hide, &mut differences),
                None => differences.push(format!("body is not JSON: {}", quoted(&response.body, hide))),
            }
        }
        if let Some(wanted) = self.latency.as_ref().filter(|wanted| !wanted.holds(latency_ms(response))) {
            differences.push(format!("latency = {}ms, wanted {wanted}", latency_ms(response)));
        }
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Mismatch { message: differences.join("; "), status: status_differs }),
        }
    }

    fn body_differences(&self, body: &str, hide: Hide<'_>) -> Vec<String> {
        let missing = self.contains.iter().filter(|text| !body.contains(text.as_str()));
        let mut differences: Vec<_> = missing.map(|text| format!("body lacks {text:?}")).collect();
        if let Some(regex) = self.matches.as_ref().filter(|regex| !regex.is_match(body)) {
            differences.push(format!("body does not match `{regex}`"));
        }
        if let Some(last) = differences.last_mut() {
            last.push_str(&format!(", it is {}", quoted(body.as_bytes(), hide)));
        }
        differences
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(items) => items.iter().map(ToString::to_string).collect(),
        one => vec![one.to_string()],
    }
}

fn statuses(value: &Value) -> Vec<StatusRange> {
    let one = |value: &Value| {
        let text = value.to_string();
        let (from, to) =
            match (value.as_int().and_then(|status| u16::try_from(status).ok()), text.as_bytes().first()) {
                (Some(status), _) => (status, status),
                (None, digit) => {
                    let class = u16::from(digit.map_or(0, |digit| digit.saturating_sub(b'0'))) * 100;
                    (class, class + 99)
                }
            };
        StatusRange(from, to, text)
    };
    match value {
        Value::List(items) => items.iter().map(one).collect(),
        value => vec![one(value)],
    }
}

fn header(param: &str, (name, wanted): (&String, &Value)) -> Result<(String, HeaderWanted), BadParam> {
    let wanted = match wanted {
        Value::Bool(true) => HeaderWanted::Present,
        Value::Bool(false) => HeaderWanted::Absent,
        Value::Map(wanted) => {
            let pattern = wanted.get("matches").and_then(Value::as_str).unwrap_or_default();
            HeaderWanted::Matches(regex(&format!("{param}.headers.{name}.matches"), pattern)?)
        }
        text => HeaderWanted::Equals(text.to_string()),
    };
    Ok((name.to_lowercase(), wanted))
}

fn regex(param: &str, pattern: &str) -> Result<Regex, BadParam> {
    Regex::new(pattern).map_err(|_| BadParam::new(param, format!("`{pattern}` is not a regular expression")))
}

/// The places that `json:` names. Its top-level names are paths; anything but a map is the whole body.
fn json_wanted(param: &str, wanted: &Value) -> Result<Vec<(Path, Value)>, BadParam> {
    let Value::Map(wanted) = wanted else { return Ok(vec![(Path::default(), wanted.clone())]) };
    let place = |(name, value): (&String, &Value)| match name.parse() {
        Ok(path) => Ok((path, value.clone())),
        Err(error) => {
            Err(BadParam::new(&format!("{param}.json"), runbook_step::PathError::to_string(&error)))
        }
    };
    wanted.iter().map(place).collect()
}

fn header_difference(response: &HttpResponse, name: &str, wanted: &HeaderWanted) -> Option<String> {
    let shown = |found: &str| shown_header(name, found);
    match (wanted, response.headers.get(name)) {
        (HeaderWanted::Absent, None) | (HeaderWanted::Present, Some(_)) => None,
        (HeaderWanted::Absent, Some(found)) => {
            Some(format!("header {name} = {:?}, wanted none", shown(found)))
        }
        (HeaderWanted::Equals(wanted), Some(found)) if found == wanted => None,
        (HeaderWanted::Equals(wanted), Some(found)) => {
            Some(format!("header {name} = {:?}, wanted {wanted:?}", shown(found)))
        }
        (HeaderWanted::Matches(regex), Some(found)) if regex.is_match(found) => None,
        (HeaderWanted::Matches(regex), Some(found)) => {
            Some(format!("header {name} = {:?}, wanted a match of `{regex}`", shown(found)))
        }
        (_, None) => Some(format!("header {name} is missing")),
    }
}

fn json_differences(wanted: &[(Path, Value)], found: &Value, hide: Hide<'_>, differences: &mut Vec<String>) {
    for (path, wanted) in wanted {
        let place = match path.to_string() {
            path if path.is_empty() || path.starts_with('[') => format!("json{path}"),
            path => format!("json.{path}"),
        };
        match found.at(path) {
            Some(found) => subset(&place, wanted, found, hide, differences),
            None => differences.push(format!("{place} is missing, wanted {}", literal(wanted, hide))),
        }
    }
}

/// Every name in a wanted map must be there, and its value as wanted; a list must be of the same length.
fn subset(place: &str, wanted: &Value, found: &Value, hide: Hide<'_>, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Map(wanted), Value::Map(found)) => {
            for (name, wanted) in wanted {
                let place = format!("{place}.{name}");
                match found.get(name) {
                    Some(found) => subset(&place, wanted, found, hide, differences),
                    None => differences.push(format!("{place} is missing, wanted {}", literal(wanted, hide))),
                }
            }
        }
        (Value::List(wanted), Value::List(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                subset(&format!("{place}[{index}]"), wanted, found, hide, differences);
            }
        }
        (Value::Str(text), Value::Int(_) | Value::Float(_)) => {
            let number = found.as_float().unwrap_or(f64::NAN);
            match Comparison::parse(text, Quantity::Number) {
                Ok(comparison) if comparison.holds(number) => {}
                Ok(comparison) => differences.push(format!("{place} = {found}, wanted {comparison}")),
                Err(_) => differences.push(format!("{place} = {found}, wanted {}", literal(wanted, hide))),
            }
        }
        (Value::Str(text), Value::Str(number)) if text != number && is_long_number(number) => {
            match Comparison::parse(text, Quantity::Number) {
                Ok(comparison) if comparison.holds(number.parse().unwrap_or(f64::NAN)) => {}
                _ => differences.push(format!("{place} = {number}, wanted {}", literal(wanted, hide))),
            }
        }
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_))
            if wanted.as_float() == found.as_float() => {}
        (wanted, found) if wanted == found => {}
        (wanted, found) => {
            differences.push(format!("{place} = {}, wanted {}", literal(found, hide), literal(wanted, hide)))
        }
    }
}

/// Whether a text may be a whole number of JSON that is too long for a number of ours; see [`Value::parse_json`].
fn is_long_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text.parse::<i64>().is_err() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A status that is not the one that is wanted, and what the server says about it.
fn status_difference(response: &HttpResponse, wanted: &str, hide: Hide<'_>) -> String {
    format!("status = {}, wanted {wanted}{}", response.status, said(&response.body, hide))
}

/// What a server says about a status, if it says it to machines or in plain text.
fn said(body: &[u8], hide: Hide<'_>) -> String {
    match body.trim_ascii() {
        [] | [b'<', ..] => String::new(),
        body => format!(", saying {}", quoted(body, hide)),
    }
}

/// A value as JSON, cut where it is long.
fn literal(value: &Value, hide: Hide<'_>) -> String {
    cut(&hide(&value.to_plain_json().to_string()))
}

/// The beginning of a body, on one line.
fn quoted(body: &[u8], hide: Hide<'_>) -> String {
    let text = hide(&String::from_utf8_lossy(body));
    let line = text[..text.floor_char_boundary(512)].split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{}`", cut(&line).replace(char::is_control, "\u{fffd}"))
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9i64..9).prop_map(Value::from),
            "[a-z]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
                prop::collection::btree_map("[a-z]{1,2}", inner, 0..3).prop_map(Value::Map),
            ]
        })
    }

    /// All places of a value and the values there.
    fn leaves(value: &Value) -> usize {
        match value {
            Value::List(items) => items.iter().map(leaves).sum(),
            Value::Map(entries) => entries.values().map(leaves).sum(),
            _ => 1,
        }
    }

    /// The value with its nth leaf made something that no generated value is.
    fn spoiled(value: &Value, nth: &mut usize) -> Value {
        match value {
            Value::List(items) => Value::List(items.iter().map(|item| spoiled(item, nth)).collect()),
            Value::Map(entries) => {
                Value::Map(entries.iter().map(|(name, value)| (name.clone(), spoiled(value, nth))).collect())
            }
            _ if *nth == 0 => {
                *nth = usize::MAX;
                "SPOILED".into()
            }
            leaf => {
                *nth -= 1;
                leaf.clone()
            }
        }
    }

    proptest! {
        #[test]
        fn a_value_is_what_is_wanted_of_itself_and_one_spoiled_leaf_is_one_difference(value in json(), pick in any::<usize>()) {
            let mut differences = Vec::new();
            subset("json", &value, &value, &str::to_owned, &mut differences);
            prop_assert!(differences.is_empty(), "{differences:?}");
            let count = leaves(&value);
            if count > 0 {
                let found = spoiled(&value, &mut (pick % count));
                subset("json", &value, &found, &str::to_owned, &mut differences);
                prop_assert_eq!(differences.len(), 1, "{:?}", differences);
                prop_assert!(differences[0].contains("SPOILED"));
            }
        }
    }
}
