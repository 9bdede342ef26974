//! From the protocol to the methods: who calls, what the message says, and the answer as a message.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Method as HttpMethod, Request, header},
};
use bytes::Bytes;
use connectrpc::{
    CodecFormat, ConnectError, Dispatcher, MethodDescriptor, Payload, RequestContext, Response,
    dispatcher::{RequestStream, StreamingResult, UnaryResult},
};
use futures::future::BoxFuture;
use quire_edge::{Audience, Origin, Problem, Result};
use serde_json::Value;

use crate::{
    App,
    ask::{Answer, Ask, unreadable},
    failure,
    methods::METHODS,
};

/// A method of a service.
pub(crate) struct Method {
    /// `quire.v1.{service}/{method}`.
    pub(crate) name: &'static str,
    /// Whether it has no side effects.
    pub(crate) reads: bool,
    pub(crate) audience: Audience,
    pub(crate) decode: fn(&[u8]) -> Result<Value, quire_proto::Error>,
    pub(crate) read_json: fn(&[u8]) -> Result<Value, quire_proto::Error>,
    pub(crate) encode: fn(Value) -> Result<Vec<u8>, quire_proto::Error>,
    pub(crate) run: for<'a> fn(&'a App, &'a Ask) -> BoxFuture<'a, Result<Answer>>,
}

/// All methods, over the use cases.
pub(crate) struct Methods(Arc<App>);

impl Methods {
    pub(crate) fn new(app: App) -> Self {
        Self(Arc::new(app))
    }
}

fn find(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == path)
}

impl Method {
    async fn answer(&self, app: &App, context: RequestContext, message: &[u8], format: CodecFormat) -> Result<Response<Bytes>> {
        let (mut parts, ()) = Request::new(()).into_parts();
        // A method that only reads is no write, though it is posted.
        parts.method = if self.reads { HttpMethod::GET } else { HttpMethod::POST };
        parts.headers = context.headers().clone();
        parts.extensions = context.extensions().clone();
        let call = self.audience.call(&mut parts).await?;
        let Origin(client) = Origin::from_request_parts(&mut parts, &()).await?;
        let document = match format {
            CodecFormat::Json => (self.read_json)(message),
            _ => (self.decode)(message),
        };
        let Ok(Value::Object(members)) = document else { return Err(unreadable()) };
        let Answer { document, etag } = (self.run)(app, &Ask::new(call, client, members)).await?;
        let internal = |error| Problem::from(quire_app::Error::internal("writing a message", error));
        let body = match format {
            CodecFormat::Json => document.to_string().into_bytes(),
            _ => (self.encode)(document).map_err(internal)?,
        };
        let mut response = Response::new(Bytes::from(body));
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
            response.headers.insert(header::ETAG, etag);
        }
        Ok(response)
    }
}

impl Dispatcher for Methods {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        find(path).map(|method| MethodDescriptor::unary(method.reads))
    }

    fn call_unary(&self, path: &str, context: RequestContext, request: Payload, format: CodecFormat) -> UnaryResult {
        let (app, method) = (Arc::clone(&self.0), find(path));
        Box::pin(async move {
            let method = method.ok_or_else(unknown)?;
            match method.answer(&app, context, &request.encoded()?, format).await {
                Ok(response) => Ok(response.map_body(Into::into)),
                Err(problem) => Err(failure::of(&problem)),
            }
        })
    }

    fn call_server_streaming(&self, _: &str, _: RequestContext, _: Bytes, _: CodecFormat) -> StreamingResult {
        Box::pin(async { Err(unknown()) })
    }

    fn call_client_streaming(&self, _: &str, _: RequestContext, _: RequestStream, _: CodecFormat) -> UnaryResult {
        Box::pin(async { Err(unknown()) })
    }

    fn call_bidi_streaming(&self, _: &str, _: RequestContext, _: RequestStream, _: CodecFormat) -> StreamingResult {
        Box::pin(async { Err(unknown()) })
    }
}

fn unknown() -> ConnectError {
    ConnectError::unimplemented("there is no such method")
}
