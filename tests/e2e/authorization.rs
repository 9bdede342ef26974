//! Who may do what: each operation of the contract by nobody in particular and by each role alone, to its own and to somebody else's.

mod graphql;
mod rpc;
mod table;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use quire_tests::{Reply, send};
use reqwest::Method;
use serde_json::Value;

use table::Row;
use world::{Member, World};

/// Roles, in the order of the table's columns.
const ROLES: [&str; 5] = ["reader", "commenter", "author", "editor", "admin"];
/// Rows that are tried together.
const TOGETHER: usize = 3;

/// The contract's operations by their ids: method and path.
fn operations() -> BTreeMap<String, (Method, String)> {
    let contract: Value = serde_json::from_str(quire_contract::JSON).expect("the contract is JSON");
    let mut operations = BTreeMap::new();
    for (path, methods) in contract["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if let (Some(id), Ok(method)) = (operation["operationId"].as_str(), method.to_uppercase().parse()) {
                assert!(operations.insert(id.to_owned(), (method, path.clone())).is_none(), "two operations are called {id}");
            }
        }
    }
    operations
}

#[test]
fn the_table_has_every_operation_of_the_contract_and_no_other() {
    let rows = table::rows();
    let table: BTreeSet<_> = rows.iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(table, operations().into_keys().collect());
    let distinct: BTreeSet<_> = rows.iter().map(|row| (row.operation, row.about)).collect();
    assert_eq!(distinct.len(), rows.len(), "a row comes twice");
}

#[test]
fn graphql_has_a_field_for_every_operation_that_it_can_have() {
    assert_eq!(graphql::missing(operations().keys()), Vec::<&String>::new());
}

#[tokio::test]
async fn every_operation_is_for_those_whom_the_table_names_and_tells_the_quota_where_it_writes() {
    every_row_holds(Protocol::Rest, |_| true).await;
}

#[tokio::test]
async fn every_method_of_rpc_is_for_those_whom_the_table_of_its_operation_names() {
    every_row_holds(Protocol::Rpc, rpc::has).await;
}

#[tokio::test]
async fn every_field_of_graphql_is_for_those_whom_the_table_names() {
    every_row_holds(Protocol::Graphql, |operation| graphql::document(operation).is_some()).await;
}

/// Tries the rows of the operations that the protocol has.
async fn every_row_holds(protocol: Protocol, has: impl Fn(&str) -> bool) {
    let world = World::start().await;
    let operations = operations();
    let rows = table::rows().into_iter().filter(|row| has(row.operation));
    let rows = stream::iter(rows).map(|row| wrong(&world, &operations[row.operation], row, protocol));
    let wrong: Vec<_> = rows.buffer_unordered(TOGETHER).collect().await;
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{} replies are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
    world.stop().await;
}

/// How an operation is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Rest,
    Rpc,
    Graphql,
}

/// What is wrong with the replies to one row, each as a line.
async fn wrong(world: &World, operation: &(Method, String), row: Row, protocol: Protocol) -> Vec<String> {
    let mut wrong = try_one(world, operation, &row, None, false, (row.anonymous, protocol)).await;
    for (is_own, statuses) in [(true, row.own), (false, row.others)] {
        for (role, status) in ROLES.into_iter().zip(statuses) {
            wrong.extend(try_one(world, operation, &row, Some(role), is_own, (status, protocol)).await);
        }
    }
    wrong
}

async fn try_one(
    world: &World,
    (method, template): &(Method, String),
    row: &Row,
    role: Option<&'static str>,
    is_own: bool,
    (status, protocol): (u16, Protocol),
) -> Vec<String> {
    let changes = !method.is_safe() && status < 300;
    let (caller, owner) = world.people(row, role, is_own, changes).await;
    let (path, thing) = world.address(row, template, &owner, changes).await;
    let body = world.body(row, &owner, &thing);
    let what = format!("{} of {} ({}) by {}", row.operation, if is_own { "its own" } else { "another's" }, row.about, role.unwrap_or("nobody"));
    let (reply, status) = match protocol {
        Protocol::Graphql => {
            let wrong = graphql::wrong(world, row.operation, (template, &path), body, caller.as_ref(), status).await;
            return wrong.into_iter().map(|wrong| format!("{what}: {wrong}")).collect();
        }
        Protocol::Rest => {
            let request = world.quire.request(method.clone(), &path);
            let request = if let Some(Member { person, .. }) = &caller { request.bearer_auth(&person.token) } else { request };
            (send(if let Some(body) = &body { request.json(body) } else { request }).await, status)
        }
        Protocol::Rpc => (rpc::call(world, row.operation, (template, &path), body, caller.as_ref()).await, rpc::status(status)),
    };
    let mut wrong = Vec::new();
    if reply.status != status {
        wrong.push(format!("{what}: {} and not {status}: {}", reply.status.as_u16(), String::from_utf8_lossy(&reply.body)));
    }
    if tells_quota(&reply) == method.is_safe() {
        wrong.push(format!("{what}: a {} with the headers {:?}", reply.status.as_u16(), reply.headers));
    }
    wrong
}

/// Whether both headers of the quota are there; that one stands alone is wrong everywhere.
fn tells_quota(reply: &Reply) -> bool {
    let headers = ["ratelimit", "ratelimit-policy"].map(|name| reply.header(name).is_some());
    assert_eq!(headers[0], headers[1], "{reply:?}");
    headers[0]
}
