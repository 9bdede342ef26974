//! Serves one emulated service over HTTP for an AWS SDK client.

use std::{net::SocketAddr, sync::Arc};

use aws_smithy_http_client::Builder;
use axum::{Router, body::Body, extract::State, routing::post};
use bytes::Bytes;
use http::{HeaderMap, Response};
use quire_local::service::Service;
use tokio::net::TcpListener;

/// Serves `service` until the test's runtime ends.
pub(crate) async fn serve(service: impl Service + 'static) -> SocketAddr {
    let service: Arc<dyn Service> = Arc::new(service);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", post(answer)).with_state(service);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A plain HTTP client for SDK configurations; the crate's default is HTTPS only.
pub(crate) fn http_client() -> aws_sdk_kms::config::SharedHttpClient {
    Builder::new().build_http()
}

async fn answer(State(service): State<Arc<dyn Service>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers["x-amz-target"].to_str().unwrap();
    let (_, operation) = target.split_once('.').unwrap();
    service.call(operation, body).await.map(Body::from)
}
