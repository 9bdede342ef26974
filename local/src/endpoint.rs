//! The one address of all emulated services: `AWS_ENDPOINT_URL` of the functions, and of a person with an AWS client.

use std::{
    future::Future,
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

use crate::{
    faults::{Action, Call, Faults},
    iam,
    identity::{Caller, Identities},
    s3::{self, Link, S3},
    service::{ACCOUNT, Service, ServiceError, reply},
    ses::Ses,
    stack::Stack,
};

/// Largest request body in bytes. No service that is emulated takes more, except S3.
const MAX_BODY: usize = 16 << 20;

/// Where people see the mail that was sent.
pub const MAIL_PAGE: &str = "/_quire/mail";

/// The path of `SendEmail` of SES v2, the one operation that is called by a path.
const SEND_EMAIL: &str = "/v2/email/outbound-emails";

/// The content type of errors that come before any service.
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// The listener: knows who calls, whether they may, what must go wrong, and which service answers.
pub struct Endpoint {
    stack: Arc<Stack>,
    identities: Identities,
    faults: Faults,
    services: Vec<(&'static str, Arc<dyn Service>)>,
    mail: Option<Ses>,
    objects: Option<S3>,
}

/// The connection is to be closed without a reply.
#[derive(Debug, thiserror::Error)]
#[error("closed without a reply, as a fault rule says")]
struct Hangup;

/// Why a call has no reply of a service.
enum Stop {
    Refused(ServiceError),
    Hangup,
}

impl From<ServiceError> for Stop {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

impl Endpoint {
    /// An endpoint without services.
    pub fn new(stack: Arc<Stack>, identities: Identities, faults: Faults) -> Self {
        Self { stack, identities, faults, services: Vec::new(), mail: None, objects: None }
    }

    /// Adds the service whose operations are called by `X-Amz-Target: {target_prefix}.{operation}`.
    pub fn with(mut self, target_prefix: &'static str, service: Arc<dyn Service>) -> Self {
        self.services.push((target_prefix, service));
        self
    }

    /// Adds the mail service, which is called by its paths, and shows people what it took at [`MAIL_PAGE`].
    pub fn with_mail(self, ses: Ses) -> Self {
        Self { mail: Some(ses), ..self }
    }

    /// Adds the object store, which is called by the paths of its objects.
    pub fn with_objects(self, s3: S3) -> Self {
        Self { objects: Some(s3), ..self }
    }

    /// Answers calls until `shutdown`, then cuts all connections: a long poll would hold them for seconds.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future) -> io::Result<()> {
        let endpoint = Arc::new(self);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                _ = &mut shutdown => return Ok(()),
                _ = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // A peer that left early, or no file descriptor left for now: both pass.
                    tracing::warn!(%error, "the endpoint could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let endpoint = endpoint.clone();
            connections.spawn(async move {
                // Only a matter of speed.
                let _ = stream.set_nodelay(true);
                let service = service_fn(|request| endpoint.answer(request));
                // The caller learns of a broken connection on its own side.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Hangup> {
        let is_object = self.objects.as_ref().is_some_and(|s3| s3.has(request.uri().path()));
        let mut response = match self.handle(request).await {
            Ok(response) => response,
            Err(Stop::Refused(error)) if is_object => s3::failure(&error),
            Err(Stop::Refused(error)) => reply(Err(error), CONTENT_TYPE),
            Err(Stop::Hangup) => return Err(Hangup),
        };
        if let Ok(id) = HeaderValue::try_from(Uuid::new_v4().to_string()) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        Ok(response.map(Full::new))
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Bytes>, Stop> {
        let (head, body) = request.into_parts();
        let object = match &self.objects {
            Some(s3) => s3.request(&head)?,
            None => None,
        };
        let (service_name, service, operation): (_, &dyn Service, _) = match (&head.method, head.uri.path(), &self.mail) {
            _ if let Some(object) = &object => ("s3", object, object.operation()),
            (&Method::POST, "/", _) => self.target(&head.headers)?,
            (&Method::POST, SEND_EMAIL, Some(ses)) => ("ses", ses, "SendEmail"),
            // Whoever reaches this port may see everything else as well.
            (&Method::GET, MAIL_PAGE, Some(ses)) => return Ok(ses.page()),
            _ => {
                let message = "Calls are POST / with an X-Amz-Target header.";
                return Err(ServiceError { status: StatusCode::NOT_FOUND, ..unknown_operation(message) }.into());
            }
        };
        let link = object.as_ref().and_then(s3::Request::link);
        let caller = match link {
            Some(link) => self.signer(link)?,
            None => self.caller(&head.headers)?,
        };
        let body = read(body, if object.is_some() { s3::MAX_OBJECT } else { MAX_BODY }).await?;
        let (function, instance) = match &caller {
            Caller::Function { logical_id, instance } => (Some(logical_id.as_str()), instance.as_str()),
            Caller::Developer => (None, ""),
        };
        // Whoever has a link calls, with the rights of the function that signed it.
        let by = function.filter(|_| link.is_none());
        let call = Call { function: by.map(str::to_owned), service: service_name, operation: operation.to_owned() };
        self.faults.record(&call);
        if let Some(function) = function {
            let request = match &object {
                Some(object) => object.resource(),
                None => serde_json::from_slice(&body).map_err(|error| ServiceError::client("SerializationException", error.to_string()))?,
            };
            self.authorize(function, instance, service_name, operation, &request)?;
        }
        let Some(fault) = self.faults.meet(&call) else {
            if service_name == "dynamodb" && function.is_some() && self.faults.measures() {
                let response = service.call(operation, with_capacity(&body)).await;
                self.faults.note(&call, capacity(response.body()));
                return Ok(response);
            }
            return Ok(service.call(operation, body).await);
        };
        match &fault.action {
            Action::Fail(error) => {
                fault.fired();
                Err(error.clone().into())
            }
            Action::Delay(delay) => {
                fault.fired();
                tokio::time::sleep(*delay).await;
                Ok(service.call(operation, body).await)
            }
            Action::KillBefore => {
                self.faults.kill(instance)?;
                fault.fired();
                Err(Stop::Hangup)
            }
            Action::KillAfter => {
                service.call(operation, body).await;
                self.faults.kill(instance)?;
                fault.fired();
                Err(Stop::Hangup)
            }
            Action::DropReply => {
                service.call(operation, body).await;
                fault.fired();
                Err(Stop::Hangup)
            }
        }
    }

    /// The service and operation that a request is for.
    fn target<'a>(&self, headers: &'a HeaderMap) -> Result<(&'static str, &dyn Service, &'a str), ServiceError> {
        let target = text(headers, "x-amz-target").unwrap_or_default();
        let found = target.rsplit_once('.').and_then(|(prefix, operation)| {
            let (prefix, service) = self.services.iter().find(|(known, _)| *known == prefix)?;
            Some((iam_name(prefix), &**service, operation))
        });
        found.ok_or_else(|| unknown_operation(format!("No service of the local cloud is called by the X-Amz-Target '{target}'.")))
    }

    /// Who calls. The access key is looked up; the signature is not checked.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, ServiceError> {
        let Some(authorization) = text(headers, AUTHORIZATION.as_str()) else {
            let error = ServiceError::client("MissingAuthenticationToken", "Missing Authentication Token");
            return Err(ServiceError { status: StatusCode::FORBIDDEN, ..error });
        };
        let parameters = authorization.strip_prefix("AWS4-HMAC-SHA256 ");
        let credential = parameters.and_then(|list| list.split(',').find_map(|part| part.trim().strip_prefix("Credential=")));
        let Some((access_key, _)) = credential.and_then(|credential| credential.split_once('/')) else {
            let message = "Authorization must be AWS4-HMAC-SHA256 with a Credential of an access key and a scope.";
            return Err(ServiceError::client("IncompleteSignatureException", message));
        };
        let unknown = || ServiceError::client("UnrecognizedClientException", "The security token included in the request is invalid.");
        self.identities.caller(access_key, text(headers, "x-amz-security-token")).ok_or_else(unknown)
    }

    /// Who has signed a link, which must be a function, because what people sign with is not known.
    fn signer(&self, link: &Link) -> Result<Caller, ServiceError> {
        match self.identities.caller(&link.access_key, link.token.as_deref()) {
            Some(Caller::Function { logical_id, instance }) => {
                link.check(&self.identities.secret(&logical_id), &self.stack.region, SystemTime::now())?;
                Ok(Caller::Function { logical_id, instance })
            }
            Some(Caller::Developer) | None => {
                let message = "The AWS Access Key Id you provided does not exist in our records.";
                Err(ServiceError { status: StatusCode::FORBIDDEN, ..ServiceError::client("InvalidAccessKeyId", message) })
            }
        }
    }

    /// Whether the statements of a function's role allow a call.
    fn authorize(&self, function: &str, instance: &str, service: &str, operation: &str, request: &Value) -> Result<(), ServiceError> {
        let statements = self.stack.functions.get(function).map(|function| function.statements.as_slice()).unwrap_or_default();
        iam::authorize(statements, &iam::accesses(&self.stack, service, operation, request)).map_err(|denied| {
            let iam::Denied { action, resource, .. } = &denied;
            tracing::warn!(function, action, resource, "{function} may not {action} on {resource}: its role in the template does not allow it");
            let message = format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{instance} is not authorized to perform: {action} \
                 on resource: {resource} because no identity-based policy allows the {action} action"
            );
            ServiceError::client("AccessDeniedException", message)
        })
    }
}

/// A call of DynamoDB that asks for the capacity that it consumes.
fn with_capacity(body: &Bytes) -> Bytes {
    let mut request: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(members) = request.as_object_mut() {
        members.insert("ReturnConsumedCapacity".into(), "TOTAL".into());
    }
    request.to_string().into()
}

/// Capacity units in a reply: of one table, or of each.
fn capacity(body: &Bytes) -> f64 {
    let reply: Value = serde_json::from_slice(body).unwrap_or_default();
    let units = |consumed: &Value| consumed["CapacityUnits"].as_f64().unwrap_or_default();
    match &reply["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(units).sum(),
        consumed => units(consumed),
    }
}

async fn read(body: Incoming, most: usize) -> Result<Bytes, Stop> {
    let too_large = || {
        let error = ServiceError::client("RequestEntityTooLarge", format!("The request body is larger than {most} bytes."));
        Stop::Refused(ServiceError { status: StatusCode::PAYLOAD_TOO_LARGE, ..error })
    };
    // What Content-Length announces is refused before it is sent.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        // The caller is gone.
        Err(_) => Err(Stop::Hangup),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unknown_operation(message: impl Into<String>) -> ServiceError {
    ServiceError::client("UnknownOperationException", message)
}

/// The prefix that IAM actions of a service have.
fn iam_name(target_prefix: &'static str) -> &'static str {
    match target_prefix {
        "AmazonSQS" => "sqs",
        "DynamoDB_20120810" | "DynamoDBStreams_20120810" => "dynamodb",
        "TrentService" => "kms",
        other => other,
    }
}
