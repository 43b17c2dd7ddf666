//! Builds the program again when a migration is added; `sqlx::migrate!` alone only sees changes to those it knows.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
