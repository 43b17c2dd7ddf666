//! The house rules that no compiler knows.

use std::path::{Path, PathBuf};

use crate::helpers::files::{root, rust_files};

/// The layers from the bottom to the top, with the folders and files of each below `src`.
const LAYERS: [(&str, &[&str]); 7] = [
    ("media", &["media"]),
    ("wire", &["wire"]),
    ("container", &["container"]),
    ("archive", &["archive"]),
    ("hub", &["hub"]),
    ("edge", &["edge"]),
    ("composition", &["app.rs", "cli", "main.rs", "lib.rs"]),
];

/// What those below `archive` must never touch.
const PURE: [&str; 7] = ["std::fs", "std::net", "std::thread", "SystemTime", "Instant", "actix", "tokio"];

fn sources() -> Vec<(PathBuf, String)> {
    rust_files(&root().join("src"))
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The place of a file's layer in [`LAYERS`].
fn layer(path: &Path) -> usize {
    let below = path.strip_prefix(root().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    LAYERS.iter().position(|(_, names)| names.contains(&first)).unwrap_or_else(|| panic!("{first} is in no layer"))
}

/// The code of a file without its comments and its tests, which may look anywhere.
fn code(path: &Path, text: &str) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name == "tests.rs"
        || name == "captures.rs"
        || name == "judge.rs"
        || name == "ffmpeg.rs"
        || name == "clicks.rs"
        || path.components().any(|part| part.as_os_str() == "tests")
    {
        return String::new();
    }
    let tested = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tested].lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_layer_imports_only_what_stands_below_it() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = layer(&path);
        let code = code(&path, &text);
        for (above, (_, names)) in LAYERS.iter().enumerate().skip(own + 1) {
            for name in names.iter().filter(|name| !name.ends_with(".rs")) {
                if code.contains(&format!("crate::{name}")) {
                    wrong.push(format!("{} ({}) names {name}, layer {above}", path.display(), LAYERS[own].0));
                }
            }
        }
        for name in ["crate::app", "crate::cli"] {
            if own < LAYERS.len() - 1 && code.contains(name) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
        // Two layers side by side know nothing of each other.
        if LAYERS[own].0 == "container" && code.contains("crate::wire") {
            wrong.push(format!("{} names wire", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn parsers_own_no_io_and_no_clock() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if layer(&path) < 3 {
            let code = code(&path, &text);
            wrong.extend(
                PURE.iter().filter(|word| code.contains(*word)).map(|word| format!("{}: {word}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sql_and_paths_are_the_archives_alone() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = LAYERS[layer(&path)].0;
        let code = code(&path, &text);
        if layer != "archive" && (code.contains("sqlx") || (layer != "composition" && code.contains("PathBuf"))) {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_is_past_five_hundred_lines() {
    let mut all = sources();
    for folder in ["tests/main", "benches"] {
        let mut found = Vec::new();
        found.extend(rust_files(&root().join(folder)));
        all.extend(found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())));
    }
    let long: Vec<_> = all.iter().filter(|(_, text)| text.lines().count() > 500).map(|(path, _)| path).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_module_says_what_belongs_in_it() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| !path.ends_with("tests.rs") && !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
