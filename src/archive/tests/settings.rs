//! What is set of rooms: durable, and lost with the index alone.

use crate::archive::settings::{Greet, Settings, Wanted};
use crate::media::room::RoomName;

use super::*;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

#[tokio::test]
async fn what_is_set_of_a_room_survives_a_restart_and_what_is_as_by_default_takes_no_row() {
    let dir = scratch();
    let open = async || Archive::open(Options::new(dir.path().to_owned()), NOW).await.unwrap().0;
    let archive = open().await;
    assert_eq!(archive.settings(&room("studio")), Settings::default());
    let silent = Wanted { record: Some(false), greet: None };
    let set = archive.set(&room("studio"), silent).await.unwrap();
    assert_eq!(set, Settings { record: false, greet: Greet::LastRecording });
    let greeting = Wanted { record: None, greet: Some(Greet::None) };
    archive.set(&room("studio"), greeting).await.unwrap();
    archive.set(&room("other"), silent).await.unwrap();
    archive.set(&room("other"), Wanted { record: Some(true), greet: None }).await.unwrap();
    archive.close().await;

    let archive = open().await;
    assert_eq!(archive.settings(&room("studio")), Settings { record: false, greet: Greet::None });
    assert_eq!(archive.settings(&room("other")), Settings::default());
    let mut connection = archive.readers().acquire().await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM room_settings").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(rows, 1);
    drop(connection);
    archive.close().await;
}

#[tokio::test]
async fn a_copy_has_what_is_set_and_an_index_that_is_made_anew_has_not() {
    let dir = scratch();
    let (from, copy) = (dir.path().join("recordings"), dir.path().join("copy"));
    let open = async |folder: &Path| Archive::open(Options::new(folder.to_owned()), NOW).await.unwrap().0;
    let archive = open(&from).await;
    archive.set(&room("studio"), Wanted { record: Some(false), greet: None }).await.unwrap();
    crate::archive::backup::backup(&from, &copy).await.unwrap();
    archive.close().await;
    let archive = open(&copy).await;
    assert!(!archive.settings(&room("studio")).record);
    archive.close().await;
    std::fs::remove_file(from.join(names::INDEX)).unwrap();
    let archive = open(&from).await;
    assert_eq!(archive.settings(&room("studio")), Settings::default());
    archive.close().await;
}
