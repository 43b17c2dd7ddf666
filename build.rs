//! Lists the files in `migrations/`, so that one is added by adding its file. `sqlx::migrate!` does so too, and has all of sqlx and
//! SQLite built a second time for it, to be run by the compiler.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    let folder = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("migrations");
    let names =
        fs::read_dir(&folder).expect("migrations/ is there").map(|entry| entry.expect("it is read").file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().expect("a migration's name is ASCII")).collect();
    names.sort();
    let listed = names.iter().map(|name| {
        let stem = name.strip_suffix(".sql").expect("a migration is called 0001_what.sql");
        let (version, what) = stem.split_once('_').expect("a migration is called 0001_what.sql");
        let version: i64 = version.parse().expect("a migration begins with its number");
        format!("({version}, {:?}, include_str!({:?})),\n", what.replace('_', " "), folder.join(name))
    });
    let list = format!("&[{}]", listed.collect::<String>());
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("migrations.rs"), list)
        .expect("OUT_DIR is written");
}
