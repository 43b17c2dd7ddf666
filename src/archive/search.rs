//! What is found by a search: recordings in whose title, room or people each of its words stands somewhere.
//!
//! What belongs here: how text is folded, so that neither case nor accents keep it from being found; what a search is.
//! What does not: SQL (the index keeps the folded text and walks it).

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::model::Summary;

/// The most words that are looked at; the longest count.
pub(super) const MOST_WORDS: usize = 8;

/// What someone looks for: at least one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Folded, the longest first, none within another.
    words: Vec<String>,
}

impl Search {
    /// The longest text, in characters.
    pub const MAX: usize = 200;

    /// Reads a text; none where there is nothing in it.
    ///
    /// # Errors
    /// Where it is longer than [`Self::MAX`].
    pub fn read(text: &str) -> Result<Option<Self>, BadSearch> {
        if text.chars().count() > Self::MAX {
            return Err(BadSearch);
        }
        let folded = fold(text);
        let mut all: Vec<&str> = folded.split_whitespace().collect();
        // What is long is seldom, and ends the look at most recordings with the first word.
        all.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut words: Vec<String> = Vec::new();
        for word in all {
            if words.len() < MOST_WORDS && !words.iter().any(|longer| longer.contains(word)) {
                words.push(word.to_owned());
            }
        }
        Ok((!words.is_empty()).then_some(Self { words }))
    }

    /// Its words, and then empty ones, which stand in every text.
    pub(super) fn padded(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str).chain(std::iter::repeat("")).take(MOST_WORDS)
    }
}

/// A text that nothing can be searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a search is at most {} characters", Search::MAX)]
pub struct BadSearch;

/// What a search looks through, of this recording.
pub(super) fn text_of(summary: &Summary) -> String {
    let people = summary.people.iter().map(|name| name.as_str());
    let all = summary.title.as_deref().into_iter().chain([summary.room.as_str()]).chain(people);
    all.map(fold).collect::<Vec<_>>().join("\n")
}

/// Text without case, accents and the differences of form that only a computer sees (Unicode's compatibility
/// decomposition, UAX #15): `Früh` is `fruh`, `STRASSE` is `Straße`.
fn fold(text: &str) -> String {
    let bare = text.nfkd().filter(|char| !is_combining_mark(*char));
    // Up and down again: some letters have one capital for two small ones.
    bare.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Search::read(text).unwrap().map(|search| search.words).unwrap_or_default()
    }

    #[test]
    fn neither_case_nor_accents_nor_form_tell_texts_apart() {
        for (one, other) in [
            ("Früh", "fruh"),
            ("e\u{301}te\u{301}", "Été"),
            ("STRASSE", "straße"),
            ("ΟΔΟΣ", "οδος"),
            ("İstanbul", "istanbul"),
            ("ｆｕｌｌ", "full"),
            ("Привет", "ПРИВЕТ"),
            ("会議", "会議"),
            ("한국어", "한국어"),
        ] {
            assert_eq!(fold(one), fold(other));
            assert!(!fold(one).is_empty());
        }
        assert_ne!(fold("会議"), fold("会"));
    }

    #[test]
    fn a_search_is_its_words_the_longest_first_and_each_once() {
        assert_eq!(words("  Ann\tmorning\u{3000}show ann "), ["morning", "show", "ann"]);
        assert_eq!(words("anna ann"), ["anna"]);
        assert_eq!(words(" \n"), [""; 0]);
        assert_eq!(words(&"a b c d e f g h i j ".repeat(10)).len(), MOST_WORDS);
        assert_eq!(words("\" OR 1=1 -- %_*"), ["1=1", "%_*", "or", "--", "\""]);
    }

    #[test]
    fn a_search_has_a_bound() {
        assert!(Search::read(&"é".repeat(Search::MAX)).is_ok());
        assert_eq!(Search::read(&"é".repeat(Search::MAX + 1)), Err(BadSearch));
    }
}
