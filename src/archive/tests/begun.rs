//! What a round had begun when the hub fell, beside things that are not ours.

use std::fs;

use super::*;

/// Writes down that these files are begun, as a round does.
async fn write_down(root: &Path, folder: &str, files: &[&str]) {
    let mut connection = open::connect(&root.join(names::INDEX)).await.unwrap();
    for file in files {
        index::begun::begin(&mut connection, folder, file).await.unwrap();
    }
}

async fn still_begun(root: &Path) -> usize {
    let mut connection = open::connect(&root.join(names::INDEX)).await.unwrap();
    index::begun::all(&mut connection).await.unwrap().len()
}

#[tokio::test]
async fn what_was_begun_and_never_named_goes_and_everything_else_stays() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    rig.record(id(1), 3).await;
    rig.close().await;
    assert_eq!(still_begun(dir.path()).await, 0, "its transaction has named what a round began");
    let folder = only_folder(dir.path());
    let name = format!("studio/{}", folder.file_name().unwrap().to_str().unwrap());
    for file in ["01-ann.2.ogg", "02-ben.late", "03-eve.ogg"] {
        fs::write(folder.join(file), file).unwrap();
    }
    // One that is named, two that are not, and one that is not even there. Of the last nobody has written anything down.
    write_down(dir.path(), &name, &["01-ann.ogg", "01-ann.2.ogg", "02-ben.late", "04-joe.ogg"]).await;
    for (never, file) in [("studio/never", "01-ann.ogg"), ("studio/shared", "01-ann.ogg")] {
        fs::create_dir(dir.path().join(never)).unwrap();
        fs::write(dir.path().join(never).join(file), file).unwrap();
        write_down(dir.path(), never, &[file, "02-ben.wav"]).await;
    }
    fs::write(dir.path().join("studio/shared/letter.txt"), "dear").unwrap();
    write_down(dir.path(), "nowhere/never", &["01-ann.ogg"]).await;

    let rig = Rig::open(dir.path()).await;
    assert_eq!(listing(&folder), ["01-ann.ogg", "03-eve.ogg", "session.json"]);
    assert!(!dir.path().join("studio/never").exists());
    assert_eq!(listing(&dir.path().join("studio/shared")), ["letter.txt"]);
    rig.close().await;
    assert_eq!(still_begun(dir.path()).await, 0);
}

#[tokio::test]
async fn a_file_that_was_there_before_is_not_taken_for_one_that_was_begun() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    let foreign = only_folder(dir.path()).join("02-ben.ogg");
    fs::write(&foreign, "somebody's").unwrap();
    writer.begin_part(part(TWO, 1));
    writer.append(TWO, packets(0..3));
    rig.round().await;
    rig.close().await;
    drop(writer);
    Rig::open(dir.path()).await.close().await;
    assert_eq!(fs::read(foreign).unwrap(), b"somebody's");
}
