//! How SQLite carries out each statement, and what the schema says of itself.

use std::collections::BTreeSet;

use sqlx::{Row as _, SqliteConnection};

use crate::archive::list::statement;

use super::*;

/// Indexes that hold what is seldom and soon gone, or what one look at start-up puts in order: to read one whole is to read
/// what is asked for.
const SMALL: [&str; 6] = [
    "derived_asked",
    "parts_open",
    "recordings_being_deleted",
    "recordings_with_stale_session_file",
    "recordings_without_search",
    "spools_settled",
];

/// The lines of a statement's plan.
async fn plan(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.get("detail")).collect()
}

/// Those that touch a table.
fn touching(plan: &[String]) -> Vec<&str> {
    let touches = |line: &&str| line.starts_with("SEARCH ") || line.starts_with("SCAN ");
    let lines = plan.iter().map(String::as_str).filter(touches);
    // What a subquery gave, which is one recording's; and what stands in the statement itself.
    lines.filter(|line| !line.starts_with("SCAN (subquery-") && *line != "SCAN CONSTANT ROW").collect()
}

/// What makes a plan cost more with each recording that there is.
fn wrong(sql: &str, plan: &[String]) -> Option<String> {
    if let Some(sorts) = plan.iter().find(|line| line.contains("TEMP B-TREE")) {
        return Some(sorts.clone());
    }
    let scans = |line: &&str| line.starts_with("SCAN ");
    let small = |line: &str| SMALL.iter().any(|index| line.ends_with(&format!(" INDEX {index}")));
    // In the order of an index, and no further than was asked.
    let bounded = sql.ends_with("LIMIT ?") || sql.ends_with("LIMIT 1");
    touching(plan).into_iter().filter(scans).find(|line| !small(line) && !bounded).map(str::to_owned)
}

#[tokio::test]
async fn every_statement_is_carried_out_by_the_index_that_it_was_made_for() {
    let dir = scratch();
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let mut differ = Vec::new();
    for statement in index::statements() {
        let plan = plan(&mut connection, statement.sql).await;
        if touching(&plan) != statement.plan {
            differ.push(format!("{}: {:#?}", statement.name, touching(&plan)));
        }
        if let Some(wrong) = wrong(statement.sql, &plan) {
            differ.push(format!("{}: {wrong}", statement.name));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// The statements of all lists, with the index of each.
fn lists() -> Vec<(&'static str, &'static str)> {
    let mut lists = Vec::new();
    for (room, state) in [(false, false), (true, false), (false, true), (true, true)] {
        let index = match (room, state) {
            (false, false) => "recordings_newest_first",
            (true, false) => "recordings_of_room_newest_first",
            (false, true) => "recordings_in_state_newest_first",
            (true, true) => "recordings_of_room_in_state_newest_first",
        };
        lists.push((statement(false, room, state), index));
        lists.push((statement(true, room, state), "recordings_searched_newest_first"));
    }
    lists
}

#[tokio::test]
async fn every_list_is_a_seek_in_its_own_index_and_sorts_nothing() {
    let dir = scratch();
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    for (sql, index) in lists() {
        let plan = plan(&mut connection, sql).await;
        assert_eq!(wrong(sql, &plan), None, "{plan:#?}");
        let touched = touching(&plan);
        let [list, names, published] = touched[..] else { panic!("{plan:#?}") };
        assert!(list.starts_with(&format!("SEARCH recordings USING INDEX {index} (")), "{plan:#?}");
        assert!(list.contains("started_unix_millis>? AND (started_unix_millis,id)<(?,?)"), "{plan:#?}");
        assert_eq!(names, "SEARCH t USING PRIMARY KEY (recording=?)", "{plan:#?}");
        assert_eq!(published, "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)", "{plan:#?}");
    }
}

#[tokio::test]
async fn every_index_is_there_for_a_statement() {
    let dir = scratch();
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let mut used = BTreeSet::new();
    let statements = index::statements().map(|statement| statement.sql).chain(lists().into_iter().map(|(sql, _)| sql));
    for sql in statements {
        for line in plan(&mut connection, sql).await {
            let mut words = line.split(' ').skip_while(|word| *word != "INDEX");
            used.extend(words.nth(1).map(str::to_owned));
        }
    }
    let named = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    let named: Vec<String> = sqlx::query_scalar(named).fetch_all(&mut connection).await.unwrap();
    let unused: Vec<_> = named.iter().filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty() && named.len() > 15, "{unused:?} of {}", named.len());
}

/// The tables of the schema, with their text. SQLite's own and sqlx's are not ours.
async fn tables(connection: &mut SqliteConnection) -> Vec<(String, String)> {
    let query = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' \
                 AND name NOT LIKE 'sqlite%' ORDER BY name";
    let rows = sqlx::query(query).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| (row.get("name"), row.get("sql"))).collect()
}

#[tokio::test]
async fn every_column_is_commented_and_says_its_range() {
    let dir = scratch();
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let tables = tables(&mut connection).await;
    assert!(tables.len() >= 15, "{tables:?}");
    let mut wrong = Vec::new();
    for (table, sql) in &tables {
        assert!(sql.contains("STRICT"), "{table}");
        let info = sqlx::AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
        let columns: Vec<String> = sqlx::query_scalar(info).fetch_all(&mut connection).await.unwrap();
        let lines: Vec<&str> = sql.lines().map(str::trim).collect();
        for column in columns {
            let begin = lines.iter().position(|line| line.starts_with(&format!("{column} "))).unwrap();
            if !lines[begin - 1].starts_with("-- ") {
                wrong.push(format!("{table}.{column} has no comment"));
            }
            // A column goes on until the next comment.
            let end = lines[begin..].iter().position(|line| line.starts_with("--") || line.starts_with(')'));
            let definition = lines[begin..begin + end.unwrap()].join(" ");
            let (own, keys) = definition.split_once("PRIMARY KEY (").unwrap_or((&definition, ""));
            // What refers to another table has that one's range.
            let refers = own.contains(" REFERENCES ")
                || lines.iter().any(|line| {
                    let of = line.strip_prefix("FOREIGN KEY (").and_then(|rest| rest.split_once(')'));
                    of.is_some_and(|(columns, _)| columns.split(", ").any(|name| name == column))
                });
            let checks = own.contains("CHECK (") && own.matches(column.as_str()).count() > 1;
            if !checks && !refers {
                wrong.push(format!("{table}.{column} has no range: {own} {keys}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The literals of a source that are SQL, put together as the compiler does.
fn sql(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for verb in ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "] {
        for (at, _) in source.match_indices(&format!("\"{verb}")) {
            let literal = source[at + 1..].split('"').next().unwrap();
            let lines: Vec<&str> = literal.split("\\\n").collect();
            let rest = lines[1..].iter().map(|line| line.trim_start());
            found.push(std::iter::once(lines[0]).chain(rest).collect());
        }
    }
    found
}

/// Those who look at all there is, since that is what they are asked for, and nobody waits for them.
const LOOK_AT_ALL: [&str; 2] = ["check", "repair"];

/// A statement that stands anywhere else would have no plan that a test reads.
#[test]
fn no_statement_stands_outside_of_those_that_are_enumerated() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/archive");
    let mut folders = vec![root.clone()];
    let known: Vec<&str> =
        index::statements().map(|statement| statement.sql).chain(lists().into_iter().map(|(sql, _)| sql)).collect();
    let mut strangers = Vec::new();
    let mut literals = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let looked_at = !path.ends_with("tests") && !LOOK_AT_ALL.iter().any(|name| path.ends_with(name));
                folders.extend(looked_at.then_some(path));
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]\nmod ").next().unwrap();
            for literal in sql(code) {
                literals += 1;
                if !known.iter().any(|sql| sql.starts_with(&literal)) {
                    strangers.push(format!("{}: {literal}", path.display()));
                }
            }
        }
    }
    assert!(strangers.is_empty(), "{strangers:#?}");
    assert!(literals > 50, "only {literals} were found");
}
