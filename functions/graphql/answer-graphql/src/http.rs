//! GraphQL over HTTP (the working draft).

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use juniper::{GraphQLError, OperationType, ValidatedOperation, Variables};
use quire_edge::{Caller, Origin, Problem, Writes, accept, reply::caching};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::{
    context::{Context, UseCases},
    page, scan,
    schema::Schema,
};

pub(crate) const JSON: &str = "application/json";
pub(crate) const GRAPHQL: &str = "application/graphql-response+json";
/// Hexadecimal digits of a SHA-256.
const HASH_CHARS: usize = 64;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) cases: Arc<UseCases>,
    pub(crate) schema: Arc<Schema>,
    /// Whether browsers are shown GraphiQL.
    pub(crate) has_page: bool,
}

/// Marks a reply without errors and secrets, which caches may keep.
#[derive(Debug, Clone, Copy)]
struct Whole;

/// A request as the draft describes it. Members that it does not know are for others.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    extensions: Option<Map<String, Value>>,
}

/// The same in an address, where objects are JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Parameters {
    query: Option<String>,
    operation_name: Option<String>,
    #[serde(deserialize_with = "object")]
    variables: Option<Map<String, Value>>,
    #[serde(deserialize_with = "object")]
    extensions: Option<Map<String, Value>>,
}

fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Map<String, Value>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map_or(Ok(None), |text| serde_json::from_str(&text).map_err(serde::de::Error::custom))
}

pub(crate) async fn by_get(
    State(service): State<Service>,
    Caller(call): Caller,
    Origin(client): Origin,
    writes: Writes,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let asks_nothing = parameters.as_ref().is_ok_and(|Query(parameters)| parameters.query.is_none() && parameters.extensions.is_none());
    if service.has_page && asks_nothing && page::is_preferred(&headers) {
        return page::show(&headers);
    }
    let Some(form) = form(&headers) else { return not_acceptable() };
    let Ok(Query(Parameters { query, operation_name, variables, extensions })) = parameters else {
        return refused(form, StatusCode::BAD_REQUEST, "The parameters cannot be read");
    };
    let request = Request { query, operation_name, variables, extensions };
    let context = Context::new(service.cases, call, client, writes);
    let mut response = answer(&service.schema, form, &Method::GET, request, context).await;
    if response.extensions().get::<Whole>().is_some() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching(&headers)));
    }
    response
}

pub(crate) async fn by_post(
    State(service): State<Service>,
    Caller(call): Caller,
    Origin(client): Origin,
    writes: Writes,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(form) = form(&headers) else { return not_acceptable() };
    if !is_json(&headers) {
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is in a form that is not known here");
        return problem.with_header(header::ACCEPT, HeaderValue::from_static(JSON)).into_response();
    }
    let Ok(body) = body else {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is larger than a megabyte").into_response();
    };
    match serde_json::from_slice(&body) {
        Ok(request) => answer(&service.schema, form, &Method::POST, request, Context::new(service.cases, call, client, writes)).await,
        Err(_) => refused(form, StatusCode::BAD_REQUEST, "The body is not a GraphQL request in JSON"),
    }
}

/// Answers a request that could be read.
async fn answer(schema: &Schema, form: &'static str, method: &Method, request: Request, context: Context) -> Response {
    let Request { query, operation_name, variables, extensions } = request;
    let hash = match hash(extensions.as_ref()) {
        Ok(hash) => hash,
        Err(message) => return refused(form, StatusCode::BAD_REQUEST, message),
    };
    // What is to be kept has both.
    let (document, to_keep) = match (query, hash) {
        (Some(document), hash) => (document, hash),
        (None, None) => return refused(form, StatusCode::BAD_REQUEST, "The request has no query"),
        (None, Some(hash)) => match context.cases.documents.get(hash).await {
            Ok(Some(document)) => (document, None),
            Ok(None) => {
                return invalid(form, &json!([{ "message": "PersistedQueryNotFound", "extensions": { "code": "PERSISTED_QUERY_NOT_FOUND" } }]));
            }
            Err(error) => return Problem::from(error).into_response(),
        },
    };
    if let Some(message) = scan::excess(&document) {
        return invalid(form, &json!([{ "message": message }]));
    }
    let name = operation_name.as_deref().filter(|name| !name.is_empty());
    let operation = match ValidatedOperation::new(&document, name, schema) {
        Ok(operation) => operation,
        Err(error) => return invalid(form, &errors(&error)),
    };
    if method == Method::GET && operation.operation_type() != OperationType::Query {
        return Problem::method_not_allowed().with_header(header::ALLOW, HeaderValue::from_static("POST")).into_response();
    }
    let Ok(variables) = serde_json::from_value::<Variables>(Value::Object(variables.unwrap_or_default())) else {
        return refused(form, StatusCode::BAD_REQUEST, "The variables cannot be read");
    };
    if let Some(hash) = to_keep
        && let Err(problem) = context.keep(hash, &document).await
    {
        return problem.into_response();
    }
    match operation.execute(&variables, &context).await {
        Ok((data, failures)) if failures.is_empty() => {
            let mut response = reply(form, StatusCode::OK, &json!({ "data": data }));
            if !context.shows_secret() {
                response.extensions_mut().insert(Whole);
            }
            response
        }
        Ok((data, failures)) => reply(form, StatusCode::OK, &json!({ "errors": failures, "data": data })),
        Err(error) => invalid(form, &errors(&error)),
    }
}

/// The hash by which a client names its document (automatic persisted queries, version 1).
fn hash(extensions: Option<&Map<String, Value>>) -> Result<Option<&str>, &'static str> {
    let Some(persisted) = extensions.and_then(|extensions| extensions.get("persistedQuery")) else { return Ok(None) };
    match (&persisted["version"], persisted["sha256Hash"].as_str()) {
        (version, Some(hash)) if version.as_u64() == Some(1) && hash.len() == HASH_CHARS => Ok(Some(hash)),
        _ => Err("extensions.persistedQuery must have version 1 and a sha256Hash"),
    }
}

/// The errors of a document that is not executed.
fn errors(error: &GraphQLError) -> Value {
    serde_json::to_value(error).unwrap_or_else(|_| json!([{ "message": error.to_string() }]))
}

/// What the reply is to be, if the client accepts one of its forms. Whoever does not say gets JSON.
fn form(headers: &HeaderMap) -> Option<&'static str> {
    accept::chosen(headers, &[JSON, GRAPHQL]).map(|chosen| {
        let named = headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains(GRAPHQL)));
        // Who names both alike prefers the newer one.
        if named && accept::chosen(headers, &[GRAPHQL, JSON]) == Some(GRAPHQL) { GRAPHQL } else { chosen }
    })
}

/// Whether the body is JSON, in UTF-8 as JSON is.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    parts.next() == Some(JSON) && parts.all(|part| part.strip_prefix("charset=").is_none_or(|charset| charset.trim_matches('"') == "utf-8"))
}

fn not_acceptable() -> Response {
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "No form of the reply is one that you accept").into_response()
}

/// A request that is none, whatever form it accepts.
fn refused(form: &'static str, status: StatusCode, message: &str) -> Response {
    reply(form, status, &json!({ "errors": [{ "message": message }] }))
}

/// A request whose document cannot be executed: as JSON it is a reply like others, by the draft's rule for old clients.
fn invalid(form: &'static str, errors: &Value) -> Response {
    let status = if form == GRAPHQL { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    reply(form, status, &json!({ "errors": errors }))
}

fn reply(form: &'static str, status: StatusCode, body: &Value) -> Response {
    let content_type = format!("{form}; charset=utf-8");
    (status, [(header::CONTENT_TYPE, content_type.as_str()), (header::VARY, "Accept, Authorization")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_the_client_likes_best() {
        for (accept, expected) in [
            ("", Some(JSON)),
            ("*/*", Some(JSON)),
            ("application/json", Some(JSON)),
            ("application/graphql-response+json", Some(GRAPHQL)),
            ("application/graphql-response+json, application/json", Some(GRAPHQL)),
            ("application/json, application/graphql-response+json", Some(GRAPHQL)),
            ("application/json, application/graphql-response+json;q=0.9", Some(JSON)),
            ("text/html", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(form(&headers), expected, "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()), Some(JSON));
    }

    #[test]
    fn the_committed_schema_is_the_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../schema.graphql");
        let schema = crate::schema::schema(true).as_sdl();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), schema, "run the test with UPDATE_DOCS=1");
    }
}
