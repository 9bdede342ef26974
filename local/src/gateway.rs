//! API Gateway's HTTP API: matches a request to a route, invokes its function with a payload 2.0 event and renders the reply.

mod cors;
mod event;
mod reply;
mod route;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_LENGTH, HOST},
        request::Parts,
        uri::Authority,
    },
    response::Response,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::{net::TcpListener, time::timeout};
use uuid::Uuid;

use self::route::Routes;
use crate::{
    functions::{Functions, MAX_PAYLOAD, Outcome, new_trace},
    stack::Stack,
};

/// Most bytes of a request's body.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Most bytes of the request line and all header values together.
const MAX_HEADERS: usize = 10_240;

/// Longest that the gateway waits for a function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The HTTP API of a stack.
pub struct Gateway {
    stack: Arc<Stack>,
    functions: Functions,
    routes: Routes,
    integration_timeout: Duration,
}

/// What the gateway itself answers, without asking a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    BadRequest,
    NotFound,
    BodyTooLarge,
    HeadersTooLarge,
    FunctionFailed,
    Unavailable,
}

/// A request, read completely.
struct Incoming {
    parts: Parts,
    body: Bytes,
    request_id: String,
    peer: SocketAddr,
    port: u16,
}

struct Server {
    gateway: Gateway,
    port: u16,
}

impl Gateway {
    /// A gateway to the functions of a stack.
    pub fn new(stack: Arc<Stack>, functions: Functions) -> Self {
        let routes = Routes::new(&stack);
        Self { stack, functions, routes, integration_timeout: INTEGRATION_TIMEOUT }
    }

    /// Serves until `shutdown` and then until the requests in flight have been answered.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let server = Arc::new(Server { port: listener.local_addr()?.port(), gateway: self });
        let router = Router::new().fallback(handle).with_state(server);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(shutdown).await
    }

    async fn answer(&self, request: Incoming) -> Result<Response, Refusal> {
        let path = route::decode(request.parts.uri.path()).ok_or(Refusal::BadRequest)?;
        let matched = self.routes.find(request.parts.method.as_str(), &path).ok_or(Refusal::NotFound)?;
        let trace = match request.parts.headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()) {
            Some(trace) if trace.contains("Root=") => trace.to_owned(),
            _ => new_trace(),
        };
        let event = event::event(&self.stack, &request, &matched, &trace).to_string();
        if event.len() > MAX_PAYLOAD {
            return Err(Refusal::BodyTooLarge);
        }
        let invocation = self.functions.invoke(matched.function, event.into(), Some(trace));
        // The function itself goes on after the gateway has given it up, as in AWS.
        let invocation = timeout(self.integration_timeout, invocation).await.map_err(|_| Refusal::Unavailable)?;
        match invocation.outcome {
            Outcome::Reply(reply) => reply::response(&reply).ok_or(Refusal::FunctionFailed),
            Outcome::Failed(_) => Err(Refusal::FunctionFailed),
            Outcome::Throttled => Err(Refusal::Unavailable),
        }
    }
}

async fn handle(State(server): State<Arc<Server>>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let request_id = new_request_id();
    let (parts, body) = request.into_parts();
    let cors = server.gateway.stack.cors.as_ref().map(|cors| cors::Answer::new(cors, &parts.headers));
    let mut response = match &cors {
        Some(cors) if cors::is_preflight(&parts) => cors.preflight(),
        _ => {
            let answer = match read(&parts, body).await {
                Ok(body) => {
                    let request = Incoming { parts, body, request_id: request_id.clone(), peer, port: server.port };
                    server.gateway.answer(request).await
                }
                Err(refusal) => Err(refusal),
            };
            let mut response = answer.unwrap_or_else(Refusal::response);
            if let Some(cors) = cors {
                cors.replace(response.headers_mut());
            }
            response
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("apigw-requestid", value);
    }
    response
}

async fn read(parts: &Parts, body: Body) -> Result<Bytes, Refusal> {
    let request_line = parts.method.as_str().len() + parts.uri.to_string().len() + " HTTP/1.1 ".len();
    if request_line + parts.headers.values().map(HeaderValue::len).sum::<usize>() > MAX_HEADERS {
        return Err(Refusal::HeadersTooLarge);
    }
    if !parts.headers.get(HOST).is_some_and(is_authority) {
        return Err(Refusal::BadRequest);
    }
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MAX_BODY) {
        return Err(Refusal::BodyTooLarge);
    }
    let body = Limited::new(body, MAX_BODY).collect().await;
    let refuse = |error: Box<dyn std::error::Error + Send + Sync>| {
        if error.is::<LengthLimitError>() { Refusal::BodyTooLarge } else { Refusal::BadRequest }
    };
    Ok(body.map_err(refuse)?.to_bytes())
}

/// Whether this is a host, with or without a port: what the event's domain name and the function's URL are made of.
fn is_authority(host: &HeaderValue) -> bool {
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let port = authority.as_str().strip_prefix(authority.host());
    let port = port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()));
    port && !authority.host().is_empty() && !authority.host().contains('%')
}

impl Refusal {
    fn response(self) -> Response {
        let (status, message) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request"),
            Self::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::HeadersTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large"),
            Self::FunctionFailed => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        };
        reply::json(status, format!(r#"{{"message":"{message}"}}"#).into())
    }
}

/// An id of 16 characters, such as `JKJaXmPLvHcESHA=`.
fn new_request_id() -> String {
    BASE64_STANDARD.encode(&Uuid::new_v4().as_bytes()[..11])
}

#[cfg(test)]
mod tests;
