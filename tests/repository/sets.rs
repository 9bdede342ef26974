//! Template ↔ functions ↔ events ↔ docs: whatever is forgotten in one of them fails.

use std::{collections::BTreeSet, fs};

use quire_local::stack::{Function, Stack};
use quire_tests::{files, folders, root};
use serde_json::Value;

fn stack() -> Stack {
    quire_local::template::load(&root().join("template.yaml"), &quire_tests::source()).unwrap_or_else(|error| panic!("{error}"))
}

/// `register-user` → `RegisterUser`.
fn logical_id(binary: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    binary.split('-').map(capital).collect()
}

#[test]
fn template_functions_and_events_are_the_same_set() {
    let template: BTreeSet<_> = stack().functions.into_values().map(|function| function.binary).collect();
    let crates: BTreeSet<_> = folders("functions").iter().flat_map(|resource| folders(&format!("functions/{resource}"))).collect();
    let events: BTreeSet<_> = files("events").iter().map(|file| file.trim_end_matches(".json").to_owned()).collect();
    assert_eq!(template, crates);
    assert_eq!(template, events);
}

#[test]
fn a_function_has_one_name() {
    for function in stack().functions.values() {
        assert_eq!(function.logical_id, logical_id(&function.binary));
        let manifest = fs::read_to_string(folder(function).join("Cargo.toml")).expect("a manifest");
        assert_eq!(manifest.matches(&format!("name = \"{}\"", function.binary)).count(), 2, "package and binary of {}", function.binary);
    }
}

#[test]
fn the_first_line_of_a_function_names_its_triggers() {
    for function in stack().functions.values() {
        let source = fs::read_to_string(folder(function).join("src/main.rs")).expect("a source file");
        let first = source.lines().next().unwrap_or_default();
        // Every GET answers HEAD too.
        for route in function.routes.iter().filter(|route| route.method != "HEAD") {
            assert!(first.contains(&format!("`{} {}`", route.method, route.path)), "{}: {first}", function.binary);
            let path = route.path.replace("{proxy+}", "{*path}");
            assert!(source.contains(&format!(".route(\"{path}\"")), "{} serves {}", function.binary, route.path);
        }
        assert!(first.starts_with("//! "), "{}: {first}", function.binary);
    }
}

#[test]
fn the_contract_and_the_template_have_the_same_routes() {
    // GraphQL and RPC have contracts of their own, and take every method.
    let routes = stack().functions.into_values().flat_map(|function| function.routes);
    let template: BTreeSet<_> = routes.filter(|route| route.method != "ANY").map(|route| (route.path, route.method)).collect();
    let contract: BTreeSet<_> = quire_contract::ROUTES
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(|method| ((*path).to_owned(), (*method).to_owned())))
        // The gateway answers preflights, and `refuse-request` all else.
        .filter(|(_, method)| method != "OPTIONS")
        .collect();
    assert_eq!(template.difference(&contract).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "routes that the contract lacks");
    assert_eq!(contract.difference(&template).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "operations that the template lacks");
}

/// Each operation of the contract has a field of the schema, or the reason why there is none; and no field of the schema has no operation.
#[test]
fn graphql_does_what_the_contract_does() {
    let contract: Value = serde_json::from_str(quire_contract::JSON).expect("the contract");
    let operations: BTreeSet<_> = contract["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .filter_map(|operation| operation["operationId"].as_str().map(str::to_owned))
        .collect();
    let schema = fs::read_to_string(root().join("schema.graphql")).expect("the schema");
    let has = |name: &str| {
        let (kind, field) = name.split_once('.').expect("a type and a field");
        fields(&schema, kind).contains(field)
    };
    let document = doc("graphql.md");
    let section = document.split("## Operations").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the section");
    let (mut named, mut used) = (BTreeSet::new(), BTreeSet::new());
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let (operation, field) = row.trim_matches(['|', ' ']).split_once(" | ").expect("two columns");
        assert!(named.insert(operation.trim_matches('`').to_owned()), "{row}: a second time");
        if !field.starts_with("None: ") {
            let field = field.trim_matches('`');
            assert!(has(field), "schema.graphql has no {field}");
            used.insert(field.to_owned());
        }
    }
    assert_eq!(named, operations);
    let unused: Vec<_> = ["Query", "Mutation"]
        .iter()
        .flat_map(|kind| fields(&schema, kind).into_iter().map(move |field| format!("{kind}.{field}")))
        // Who asks is `get-user` with the caller's own id.
        .filter(|field| field != "Query.me" && !used.contains(field))
        .collect();
    assert_eq!(unused, Vec::<String>::new(), "docs/graphql.md says which operations these are");
}

/// The fields of an object type of the schema.
fn fields(schema: &str, kind: &str) -> BTreeSet<String> {
    let body = schema.split(&format!("\ntype {kind} {{\n")).nth(1).and_then(|rest| rest.split("\n}").next()).expect("the type");
    let lines = body.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    lines.filter_map(|line| line.split(['(', ':']).next()).map(str::to_owned).collect()
}

#[test]
fn the_docs_name_every_route_function_and_limit() {
    let (api, architecture) = (doc("api.md"), doc("architecture.md"));
    for function in stack().functions.values() {
        assert!(architecture.contains(&format!("`{}`", function.binary)), "docs/architecture.md names {}", function.binary);
        for route in function.routes.iter().filter(|route| !matches!(route.method.as_str(), "HEAD" | "ANY")) {
            let name = format!("`{} {}`", route.method, route.path);
            assert!(api.contains(&name), "docs/api.md names {name}");
        }
    }
    let limits = fs::read_to_string(root().join("shared/domain/src/limits.rs")).expect("the limits");
    let constants = limits.lines().filter_map(|line| line.strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": "));
    let mut count = 0;
    for (name, definition) in constants {
        let (_, expression) = definition.split_once(" = ").expect("a value");
        let value: u64 = expression.split(" * ").map(|factor| factor.replace('_', "").parse::<u64>().expect("a number")).product();
        let row = format!("| `{name}` | {value} |");
        assert!(api.contains(&row), "docs/api.md has the row {row}");
        count += 1;
    }
    assert!(count > 10, "the limits are found");
}

#[test]
fn the_docs_name_every_problem() {
    let api = doc("api.md");
    let source = fs::read_to_string(root().join("shared/edge/src/problem.rs")).expect("the problems");
    let source = source + &fs::read_to_string(root().join("shared/edge/src/body.rs")).expect("the problems of bodies");
    let source = source + &fs::read_to_string(root().join("shared/edge/src/layer.rs")).expect("the problems around");
    let is_name = |text: &&str| text.contains('-') && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    let names: BTreeSet<_> = source.split('"').skip(1).step_by(2).filter(is_name).filter(|name| !HEADERS.contains(name)).collect();
    assert!(names.len() > 12, "{names:?}");
    for name in names {
        assert!(api.contains(&format!("| `{name}` |")), "docs/api.md names the problem {name}");
    }
}

/// The requirements of docs/security.md, each with tests or the reason why there is none, and the invariants of docs/operations.md.
#[test]
fn every_test_that_the_docs_name_exists() {
    let tests = tests();
    for (document, heading, least) in [("security.md", "## Requirements", 30), ("operations.md", "## Invariants", 10)] {
        let text = doc(document);
        let section = text.split(heading).nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the section");
        let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        assert!(rows.len() > least, "{document}: {}", rows.len());
        for row in rows {
            let shown = row.trim_matches(['|', ' ']).rsplit(" | ").next().expect("a column");
            let named: Vec<_> = shown.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).collect();
            assert!(!named.is_empty() || shown.starts_with("Waived: "), "{row}: a test or a reason");
            for name in named {
                assert!(tests.contains(name), "docs/{document} names a test that does not exist: {name}");
            }
        }
    }
}

/// The names of all tests in Rust.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<_> = ["tests", "shared", "local", "functions"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() && entry.file_name().is_some_and(|name| name != "node_modules") {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(entry).expect("a source");
                for after in source.split("test]").skip(1).chain(source.split("test(").skip(1)) {
                    names.extend(after.split("fn ").nth(1).and_then(|rest| Some(rest.split_once('(')?.0.to_owned())));
                }
            }
        }
    }
    names
}

/// Texts of these files that look like names of problems and are none.
const HEADERS: [&str; 4] = ["accept-patch", "x-correlation-id", "no-store", "no-referrer"];

fn folder(function: &Function) -> std::path::PathBuf {
    let resources = folders("functions");
    let resource = resources.iter().find(|resource| folders(&format!("functions/{resource}")).contains(&function.binary));
    root().join("functions").join(resource.expect("the function has a folder")).join(&function.binary)
}

fn doc(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).expect("the document")
}
