//! A feed as XML: RSS 2.0 (<https://www.rssboard.org/rss-specification>), with what podcast players know beyond it: Apple's elements,
//! those of Podcasting 2.0 (<https://github.com/Podcastindex-org/podcast-namespace>), and Podlove's Simple Chapters.
//!
//! What belongs here: a plain function from episodes to text. What does not: where they come from. The names of rooms, people and
//! markers are anybody's; what XML cannot hold of them is replaced.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::archive::Episode;
use crate::archive::model::{Container, Derived, Summary};
use crate::media::marker::Chapter;
use crate::media::room::RoomName;
use crate::media::time::Ticks;

/// What a feed is (RSS Advisory Board's autodiscovery).
pub const MEDIA_TYPE: &str = "application/rss+xml; charset=utf-8";

const NAMESPACES: [(&str, &str); 5] = [
    ("version", "2.0"),
    ("xmlns:atom", "http://www.w3.org/2005/Atom"),
    ("xmlns:itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("xmlns:podcast", "https://podcastindex.org/namespace/1.0"),
    ("xmlns:psc", "http://podlove.org/simple-chapters"),
];

/// The feed of a room on a hub at this address, which has no slash at its end.
pub fn feed(base: &str, room: &RoomName, episodes: &[Episode]) -> String {
    let mut feed = Feed(Writer::new_with_indent(Vec::new(), b' ', 1));
    feed.channel(base, room, episodes).expect("memory takes what is written to it");
    String::from_utf8(feed.0.into_inner()).expect("what was written is text")
}

/// What is written so far.
struct Feed(Writer<Vec<u8>>);

impl Feed {
    fn channel(&mut self, base: &str, room: &RoomName, episodes: &[Episode]) -> io::Result<()> {
        let page = format!("{base}/rooms/{room}");
        self.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        self.within("rss", &NAMESPACES, |feed| {
            feed.within("channel", &[], |feed| {
                feed.text("title", room.as_str())?;
                feed.text("link", &page)?;
                feed.text("description", &format!("What was recorded and published in the room {room}."))?;
                let own = format!("{page}/feed.xml");
                feed.empty("atom:link", &[("href", &own), ("rel", "self"), ("type", "application/rss+xml")])?;
                feed.text("generator", concat!("roomtone ", env!("CARGO_PKG_VERSION")))?;
                feed.text("docs", "https://www.rssboard.org/rss-specification")?;
                if let Some(newest) = episodes.iter().filter_map(|episode| episode.summary.published).max() {
                    feed.text("lastBuildDate", &newest.to_rfc2822())?;
                }
                feed.text("itunes:author", room.as_str())?;
                feed.text("itunes:type", "episodic")?;
                feed.text("podcast:medium", "podcast")?;
                episodes.iter().try_for_each(|episode| feed.item(base, episode))
            })
        })
    }

    fn item(&mut self, base: &str, episode: &Episode) -> io::Result<()> {
        let Episode { summary, chapters, bytes } = episode;
        let files = format!("{base}/api/v1/recordings/{}", summary.id);
        self.within("item", &[], |feed| {
            feed.text("title", summary.name())?;
            feed.text("link", &format!("{base}/recordings/{}", summary.id))?;
            feed.text("description", &description(summary, chapters))?;
            let mix = format!("{files}/{}", Derived::Mix(Container::Ogg));
            feed.empty("enclosure", &[("url", &mix), ("length", &bytes.to_string()), ("type", "audio/ogg")])?;
            feed.within("guid", &[("isPermaLink", "false")], |feed| feed.words(&summary.id.to_string()))?;
            feed.text("pubDate", &summary.published.unwrap_or(summary.started).to_rfc2822())?;
            feed.text("itunes:duration", &seconds(summary.length).to_string())?;
            feed.text("itunes:episodeType", "full")?;
            for name in &summary.people {
                feed.text("podcast:person", name.as_str())?;
            }
            if chapters.is_empty() {
                return Ok(());
            }
            let json = format!("{files}/chapters.json");
            feed.empty("podcast:chapters", &[("url", &json), ("type", "application/json+chapters")])?;
            feed.within("psc:chapters", &[("version", "1.2")], |feed| {
                chapters.iter().try_for_each(|Chapter { start, title }| {
                    feed.empty("psc:chapter", &[("start", &normal_play_time(*start)), ("title", title)])
                })
            })
        })
    }

    fn within(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inner: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut start = quick_xml::events::BytesStart::new(name);
        attributes.iter().for_each(|(key, value)| start.push_attribute((*key, &*allowed(value))));
        let end = start.to_end().into_owned();
        self.0.write_event(Event::Start(start))?;
        inner(self)?;
        self.0.write_event(Event::End(end))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        let mut element = quick_xml::events::BytesStart::new(name);
        attributes.iter().for_each(|(key, value)| element.push_attribute((*key, &*allowed(value))));
        self.0.write_event(Event::Empty(element))
    }

    fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.within(name, &[], |feed| feed.words(text))
    }

    fn words(&mut self, text: &str) -> io::Result<()> {
        self.0.write_event(Event::Text(BytesText::new(&allowed(text))))
    }
}

/// Who is heard, and what is where: for those who see nothing else of an episode.
fn description(summary: &Summary, chapters: &[Chapter]) -> String {
    let people: Vec<_> = summary.people.iter().map(|name| name.as_str()).collect();
    let with = if people.is_empty() { String::new() } else { format!("With {}.", people.join(", ")) };
    let when = format!("Recorded on {}.", &summary.started.to_rfc3339()[..10]);
    let mut lines = vec![[with, when].join(" ").trim().to_owned()];
    lines.extend(chapters.iter().map(|Chapter { start, title }| format!("{} {title}", normal_play_time(*start))));
    lines.join("\n")
}

/// To the nearest.
fn seconds(length: Ticks) -> u64 {
    length.as_millis().saturating_add(500) / 1000
}

/// `00:01:02.500` (RFC 2326 §3.6).
fn normal_play_time(at: Ticks) -> String {
    let millis = at.as_millis();
    let (seconds, minutes, hours) = (millis / 1000, millis / 60_000, millis / 3_600_000);
    format!("{hours:02}:{:02}:{:02}.{:03}", minutes % 60, seconds % 60, millis % 1000)
}

/// A text with what XML 1.0 can hold (§2.2).
fn allowed(text: &str) -> String {
    let allowed =
        |char: char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    text.chars().map(|char| if allowed(char) { char } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::model::{EndReason, RecordingId, State};
    use crate::media::time::UnixMillis;

    fn episode(title: &str, name: &str, chapter: &str) -> Episode {
        let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap();
        let summary = Summary {
            id: RecordingId::new(started, [7; 10]),
            room: "studio".parse().unwrap(),
            title: Some(title.to_owned()),
            keep: false,
            published: Some(UnixMillis::from_rfc3339("2026-11-30T18:05:09Z").unwrap()),
            started,
            ended: Some(started),
            state: State::Ended(EndReason::Finished),
            length: Ticks::from_millis(61_600),
            bytes: 1,
            people: vec![name.parse().unwrap()],
            tracks: 1,
        };
        let chapters = vec![Chapter { start: Ticks::from_millis(3_723_004), title: chapter.to_owned() }];
        Episode { summary, chapters, bytes: 1234 }
    }

    #[test]
    fn an_episode_says_where_its_sound_is_how_long_it_is_and_when_it_came_out() {
        let feed = feed("https://hub.example", &"studio".parse().unwrap(), &[episode("Talk", "Ann", "News")]);
        for part in [
            r#"<enclosure url="https://hub.example/api/v1/recordings/019aaac3-9480-7707-8707-070707070707/mix.ogg" length="1234" type="audio/ogg"/>"#,
            "<pubDate>Mon, 30 Nov 2026 18:05:09 +0000</pubDate>",
            "<itunes:duration>62</itunes:duration>",
            r#"<psc:chapter start="01:02:03.004" title="News"/>"#,
            r#"<atom:link href="https://hub.example/rooms/studio/feed.xml" rel="self" type="application/rss+xml"/>"#,
            "<lastBuildDate>Mon, 30 Nov 2026 18:05:09 +0000</lastBuildDate>",
        ] {
            let id = episode("", "Ann", "").summary.id.to_string();
            let part = part.replace("019aaac3-9480-7707-8707-070707070707", &id);
            assert!(feed.contains(&part), "{part}\n{feed}");
        }
    }

    #[test]
    fn a_validator_has_nothing_to_say() {
        use ::rss::validation::Validate as _;

        let room = "studio".parse().unwrap();
        for episodes in [vec![], vec![episode("Talk", "Ann", "News"), episode("<b>&\"]]>", "<i>&'", "]]>")]] {
            let feed = feed("https://hub.example", &room, &episodes);
            let channel = ::rss::Channel::read_from(feed.as_bytes()).unwrap();
            channel.validate().unwrap();
            assert_eq!(channel.items().len(), episodes.len());
        }
        let late = feed("https://hub.example", &room, &[episode("Talk", "Ann", "News")]).replace("30 Nov", "31 Nov");
        assert!(::rss::Channel::read_from(late.as_bytes()).unwrap().validate().is_err(), "it judges dates");
    }

    #[test]
    fn whatever_anyone_wrote_stays_text() {
        let hostile = "</title>]]><script>\"'&amp;\u{FFFE}\u{0}<!--";
        let feed = feed("http://a\"><b", &"studio".parse().unwrap(), &[episode(hostile, "<i>&'\"", hostile)]);
        let mut reader = quick_xml::Reader::from_str(&feed);
        reader.config_mut().check_end_names = true;
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(start) | Event::Empty(start) => {
                    let name = start.name().as_ref().to_owned();
                    assert!(!["script", "i", "b"].contains(&&*name), "{name}");
                    start.attributes().for_each(|attribute| drop(attribute.unwrap()));
                }
                Event::Comment(_) | Event::CData(_) => panic!("{feed}"),
                _ => {}
            }
        }
        assert!(!feed.contains('\u{FFFE}') && !feed.contains('\u{0}'));
    }
}
