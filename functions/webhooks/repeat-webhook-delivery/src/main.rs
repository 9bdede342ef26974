//! `POST /api/v1/webhooks/{webhookId}/deliveries/{deliveryId}/redeliveries`: has a delivery tried once more, by an admin.
//!
//! Reads the webhook and the delivery. Writes the delivery and `webhook.delivery-due`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::webhooks::{DeliveryView, Webhooks};
use quire_aws::{BoxError, Setup};
use quire_domain::id::{DeliveryId, WebhookId};
use quire_edge::{Accepted, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new()
        .route("/api/v1/webhooks/{webhookId}/deliveries/{deliveryId}/redeliveries", post(handle))
        .with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(webhooks): State<Webhooks>,
    SignedIn(call): SignedIn,
    Id(id): Id<WebhookId>,
    Id(delivery): Id<DeliveryId>,
) -> Result<Accepted<DeliveryView>> {
    Ok(Accepted(webhooks.repeat(&call, id, delivery).await?))
}
