//! Pages of short and of long lists of posts.

use std::time::Instant;

use quire_tests::pages::LongLists;

use crate::Result;

/// Posts in the short lists.
pub(crate) const SHORT: u32 = 100;

/// Measures pages of short lists, makes them long, and prints both as a table.
///
/// # Errors
/// If a page of the long lists costs something else.
pub(crate) async fn run(long: u32) -> Result<()> {
    let mut lists = LongLists::start().await;
    lists.grow(SHORT as usize).await;
    let before = lists.costs().await;
    eprintln!("Storing {long} posts");
    let started = Instant::now();
    lists.grow(long as usize).await;
    eprintln!("They were stored in {:.0} s", started.elapsed().as_secs_f64());
    let after = lists.costs().await;
    lists.stop().await;
    println!("| page of twenty | {SHORT} posts | {long} posts |\n|---|---|---|");
    for ((page, short, _), (_, long, _)) in before.iter().zip(&after) {
        println!("| {page} | {short} | {long} |");
    }
    if before == after { Ok(()) } else { Err("a page of the long lists costs something else".into()) }
}
