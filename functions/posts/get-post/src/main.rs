//! `GET /api/v1/posts/{postId}`: a post by its id or its slug; one that is not published only for its author and for editors.
//!
//! Reads the post and its counts, and before them the claim to a slug. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use quire_app::posts::{Found, PostSelection, Posts};
use quire_aws::{BoxError, Setup};
use quire_domain::post::PostName;
use quire_edge::{Anyone, Id, Moved, Query, Result, Route, Selected};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(posts): State<Posts>,
    Anyone(call): Anyone,
    Id(name): Id<PostName>,
    Query(PostSelection(selection)): Query<PostSelection>,
    query: RawQuery,
) -> Result<Response> {
    match posts.get(&call, &name).await? {
        Found::Post(mut post) => {
            if selection.names("contentHtml") {
                post.content_html = Some(quire_markdown::to_html(post.content.as_str()));
            }
            Ok(Selected(*post, selection).into_response())
        }
        Found::Moved(slug) => Ok(Moved::to(format!("/api/v1/posts/{slug}"), query).into_response()),
    }
}
