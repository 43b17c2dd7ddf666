//! Which part of a file a request gets, if any: conditions and ranges (RFC 9110 §13, §14) as plain functions.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ByteRangeSpec, EntityTag, Header as _, HttpDate, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    Range,
};

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it: 200.
    Whole,
    /// These bytes, the last one included: 206.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// What it has is what there is: 304.
    NotModified,
    /// What it wants to go on with is not what there is: 412.
    Failed,
    /// The range begins behind the end: 416.
    Unsatisfiable,
}

/// What of a file of `bytes` bytes with this tag and date a request gets.
pub fn answer(request: &HttpRequest, tag: &EntityTag, modified: HttpDate, bytes: u64) -> Answer {
    if let Ok(IfMatch::Items(tags)) = IfMatch::parse(request)
        && !tags.is_empty()
        && !tags.iter().any(|one| one.strong_eq(tag))
    {
        return Answer::Failed;
    }
    if !has(request, "if-match")
        && let Ok(IfUnmodifiedSince(since)) = IfUnmodifiedSince::parse(request)
        && since < modified
    {
        return Answer::Failed;
    }
    if has(request, "if-none-match") {
        if is_known(request, tag) {
            return Answer::NotModified;
        }
    } else if let Ok(IfModifiedSince(since)) = IfModifiedSince::parse(request)
        && modified <= since
    {
        return Answer::NotModified;
    }
    // A range means something to GET only (RFC 9110 §14.2).
    if request.method() != Method::GET || !has(request, "range") {
        return Answer::Whole;
    }
    if has(request, "if-range") {
        let same = match IfRange::parse(request) {
            Ok(IfRange::EntityTag(one)) => one.strong_eq(tag),
            Ok(IfRange::Date(date)) => date == modified,
            Err(_) => false,
        };
        if !same {
            return Answer::Whole;
        }
    }
    // Several ranges, and what is no range at all, are answered by the whole (RFC 9110 §14.2 allows both).
    match Range::parse(request) {
        Ok(Range::Bytes(ranges)) => match &ranges[..] {
            [range] => part(range, bytes),
            _ => Answer::Whole,
        },
        _ => Answer::Whole,
    }
}

/// Whether the client says that it has what has this tag (RFC 9110 §13.1.2).
pub fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => has(request, "if-none-match"),
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|one| one.weak_eq(tag)),
        Err(_) => false,
    }
}

fn part(range: &ByteRangeSpec, bytes: u64) -> Answer {
    let end = bytes.saturating_sub(1);
    match *range {
        ByteRangeSpec::FromTo(first, last) if first < bytes && first <= last => {
            Answer::Part { first, last: last.min(end) }
        }
        ByteRangeSpec::From(first) if first < bytes => Answer::Part { first, last: end },
        ByteRangeSpec::Last(count) if count > 0 && bytes > 0 => {
            Answer::Part { first: bytes.saturating_sub(count), last: end }
        }
        _ => Answer::Unsatisfiable,
    }
}

fn has(request: &HttpRequest, name: &str) -> bool {
    request.headers().contains_key(name)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use actix_web::test::TestRequest;

    use super::*;

    fn ask(headers: &[(&'static str, &str)]) -> Answer {
        ask_by(Method::GET, headers)
    }

    fn ask_by(method: Method, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = TestRequest::default().method(method);
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        answer(&request.to_http_request(), &EntityTag::new_strong("tag".into()), modified.into(), 100)
    }

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn a_range_is_cut_to_the_file() {
        let part = |first, last| Answer::Part { first, last };
        assert_eq!(ask(&[]), Answer::Whole);
        for (range, answer) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=10-19", part(10, 19)),
            ("bytes=90-", part(90, 99)),
            ("bytes=90-1000", part(90, 99)),
            ("bytes=-10", part(90, 99)),
            ("bytes=-1000", part(0, 99)),
            ("bytes=100-", Answer::Unsatisfiable),
            ("bytes=-0", Answer::Unsatisfiable),
            ("bytes=0-1,5-6", Answer::Whole),
            ("bits=0-1", Answer::Whole),
            ("nonsense", Answer::Whole),
        ] {
            assert_eq!(ask(&[("range", range)]), answer, "{range}");
        }
        assert_eq!(ask_by(Method::HEAD, &[("range", "bytes=0-0")]), Answer::Whole);
    }

    #[test]
    fn a_range_of_what_has_changed_is_the_whole() {
        let range = ("range", "bytes=0-0");
        let part = Answer::Part { first: 0, last: 0 };
        assert_eq!(ask(&[range, ("if-range", "\"tag\"")]), part);
        assert_eq!(ask(&[range, ("if-range", MODIFIED)]), part);
        assert_eq!(ask(&[range, ("if-range", "\"other\"")]), Answer::Whole);
        assert_eq!(ask(&[range, ("if-range", "W/\"tag\"")]), Answer::Whole);
        assert_eq!(ask(&[range, ("if-range", EARLIER)]), Answer::Whole);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        assert_eq!(ask(&[("if-none-match", "\"tag\"")]), Answer::NotModified);
        assert_eq!(ask(&[("if-none-match", "W/\"tag\"")]), Answer::NotModified);
        assert_eq!(ask(&[("if-none-match", "*")]), Answer::NotModified);
        assert_eq!(ask(&[("if-none-match", "\"other\"")]), Answer::Whole);
        assert_eq!(ask(&[("if-modified-since", MODIFIED)]), Answer::NotModified);
        assert_eq!(ask(&[("if-modified-since", EARLIER)]), Answer::Whole);
        // The tag decides where both are there (RFC 9110 §13.1.3).
        assert_eq!(ask(&[("if-none-match", "\"other\""), ("if-modified-since", MODIFIED)]), Answer::Whole);
    }

    #[test]
    fn what_the_client_relies_on_must_still_be_so() {
        assert_eq!(ask(&[("if-match", "\"other\"")]), Answer::Failed);
        assert_eq!(ask(&[("if-match", "\"tag\"")]), Answer::Whole);
        assert_eq!(ask(&[("if-unmodified-since", EARLIER)]), Answer::Failed);
        assert_eq!(ask(&[("if-unmodified-since", MODIFIED)]), Answer::Whole);
    }
}
