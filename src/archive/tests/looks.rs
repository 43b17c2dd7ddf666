//! What is in the files of the room, for whoever looks at what a start did with them.

use std::collections::BTreeMap;

use crate::container::ogg::{PageReader, Salvager};

use super::*;

/// Whether start-up leaves such a file where it is, if the index does not name it: samples, for which nobody vouches once the power
/// went, what does not say any more what it is, and what has good pages behind damage.
pub(super) fn is_left(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let mut demuxer = Demuxer::new();
    demuxer.push(&bytes);
    let head = matches!(demuxer.pull(), Ok(Some(OggEvent::Head(_))));
    let tags = match demuxer.pull() {
        Ok(Some(OggEvent::Tags(tags))) => tags,
        _ => Vec::new(),
    };
    !head || !tags.iter().any(|(name, _)| name == "ROOMTONE") || is_damaged(&bytes)
}

/// Whether a good page stands behind anything that is none.
fn is_damaged(bytes: &[u8]) -> bool {
    let (mut pages, mut skipped) = (PageReader::new(), false);
    pages.push(bytes);
    loop {
        match pages.pull() {
            Ok(Some(_)) if skipped => return true,
            Ok(Some(_)) => {}
            Ok(None) if pages.end().is_ok() => return false,
            Ok(None) | Err(_) => {
                pages.skip();
                skipped = true;
            }
        }
    }
}

/// The numbers of the packets in each Ogg file and spool of the room.
pub(super) fn sound(root: &Path) -> BTreeMap<PathBuf, Vec<u64>> {
    let mut sound = BTreeMap::new();
    for folder in listing(&root.join("studio")).into_iter().map(|name| root.join("studio").join(name)) {
        for path in listing(&folder).into_iter().map(|name| folder.join(name)).filter(|path| path.is_file()) {
            let (mut salvager, mut numbers) = (Salvager::new(), Vec::new());
            salvager.push(&std::fs::read(&path).unwrap());
            salvager.finish();
            while let Some(packet) = salvager.pull() {
                let number = packet.data.get(1..9).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
                numbers.extend(number);
            }
            if !numbers.is_empty() {
                sound.insert(path, numbers);
            }
        }
    }
    sound
}

/// Of which track a file is, by its name.
pub(super) fn track_of(path: &Path) -> Option<TrackNumber> {
    names::track_file(path.file_name()?.to_str()?).map(|file| file.track)
}
