//! The same table for the fields of GraphQL: each operation that has one gives what the row says of it.

use quire_tests::send;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    table::Row,
    world::{Member, World},
};

/// Operation → its field. Variables are the parameters of the address and the members of the body, which is `$input` as a whole.
const FIELDS: &[(&str, &str)] = &[
    ("register-user", "mutation ($input: NewUser!) { registerUser(input: $input) { id } }"),
    ("list-users", "{ users { nodes { id } } }"),
    ("get-user", "query ($userId: ID!) { user(id: $userId) { id } }"),
    ("update-user", "mutation ($userId: ID!, $input: UserPatch!) { updateUser(id: $userId, input: $input) { id } }"),
    ("delete-user", "mutation ($userId: ID!) { deleteUser(id: $userId) }"),
    ("replace-user-roles", "mutation ($userId: ID!, $roles: [Role!]!) { replaceUserRoles(id: $userId, roles: $roles) { id } }"),
    ("create-session", "mutation ($input: NewSession!) { createSession(input: $input) { sessionId } }"),
    ("refresh-session", "mutation ($refreshToken: String!) { refreshSession(refreshToken: $refreshToken) { sessionId } }"),
    ("list-sessions", "{ sessions { nodes { id } } }"),
    ("delete-session", "mutation ($sessionId: ID!) { deleteSession(id: $sessionId) }"),
    ("delete-sessions", "mutation { deleteSessions }"),
    ("create-email-verification", "mutation ($email: String!) { createEmailVerification(email: $email) }"),
    ("verify-email", "mutation ($token: String!) { verifyEmail(token: $token) }"),
    ("create-password-reset", "mutation ($email: String!) { createPasswordReset(email: $email) }"),
    ("reset-password", "mutation ($token: String!, $password: String!) { resetPassword(token: $token, password: $password) }"),
    (
        "replace-password",
        "mutation ($userId: ID!, $currentPassword: String!, $newPassword: String!) {
           replacePassword(userId: $userId, currentPassword: $currentPassword, newPassword: $newPassword)
         }",
    ),
    ("get-notification-preferences", "query ($userId: ID!) { user(id: $userId) { notificationPreferences { comments } } }"),
    (
        "replace-notification-preferences",
        "mutation ($userId: ID!, $input: NotificationPreferencesInput!) {
           replaceNotificationPreferences(userId: $userId, input: $input) { comments }
         }",
    ),
    ("create-post", "mutation ($input: NewPost!) { createPost(input: $input) { id } }"),
    ("list-posts", "query ($author: ID, $status: PostStatus) { posts(author: $author, status: $status) { nodes { id } } }"),
    ("get-post", "query ($postId: ID!) { post(id: $postId) { id } }"),
    ("update-post", "mutation ($postId: ID!, $input: PostPatch!) { updatePost(id: $postId, input: $input) { id } }"),
    ("delete-post", "mutation ($postId: ID!) { deletePost(id: $postId) }"),
    ("create-comment", "mutation ($postId: ID!, $input: NewComment!) { createComment(postId: $postId, input: $input) { id } }"),
    ("list-comments", "query ($postId: ID!) { comments(postId: $postId) { nodes { id } } }"),
    ("get-comment", "query ($postId: ID!, $commentId: ID!) { comment(postId: $postId, id: $commentId) { id } }"),
    (
        "update-comment",
        "mutation ($postId: ID!, $commentId: ID!, $content: String!) { updateComment(postId: $postId, id: $commentId, content: $content) { id } }",
    ),
    ("delete-comment", "mutation ($postId: ID!, $commentId: ID!) { deleteComment(postId: $postId, id: $commentId) }"),
    (
        "replace-comment-status",
        "mutation ($postId: ID!, $commentId: ID!, $status: CommentDecision!) {
           replaceCommentStatus(postId: $postId, id: $commentId, status: $status) { id }
         }",
    ),
    ("list-moderation", "{ moderation { nodes { id } } }"),
    ("put-reaction", "mutation ($postId: ID!, $kind: ReactionKind!) { putReaction(postId: $postId, kind: $kind) }"),
    ("delete-reaction", "mutation ($postId: ID!, $kind: ReactionKind!) { deleteReaction(postId: $postId, kind: $kind) }"),
    ("list-followers", "query ($userId: ID!) { user(id: $userId) { followers { nodes { createdAt } } } }"),
    ("list-following", "query ($userId: ID!) { user(id: $userId) { following { nodes { createdAt } } } }"),
    ("put-follower", "mutation ($userId: ID!, $followerId: ID!) { putFollower(userId: $userId, followerId: $followerId) }"),
    ("delete-follower", "mutation ($userId: ID!, $followerId: ID!) { deleteFollower(userId: $userId, followerId: $followerId) }"),
    ("get-feed", "{ feed { nodes { id } } }"),
    ("list-tags", "{ tags { nodes { tag } } }"),
];

/// The document of an operation, if it has a field.
pub(super) fn document(operation: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(name, _)| *name == operation).map(|(_, document)| *document)
}

/// What is wrong with the reply to one case.
pub(super) async fn try_one(
    world: &World,
    (method, template): &(Method, String),
    row: &Row,
    role: Option<&'static str>,
    is_own: bool,
    status: u16,
) -> Vec<String> {
    let Some(document) = document(row.operation) else { return Vec::new() };
    let changes = !method.is_safe() && status < 300;
    let (caller, owner) = world.people(row, role, is_own, changes).await;
    let (address, thing) = world.address(row, template, &owner, changes).await;
    let body = world.body(row, &owner, &thing).unwrap_or_default();
    let request = world.quire.request(Method::POST, "/graphql");
    let request = request.json(&json!({ "query": document, "variables": variables(template, &address, body) }));
    let reply = send(if let Some(Member { person, .. }) = &caller { request.bearer_auth(&person.token) } else { request }).await;
    let answer = reply.expect(200);
    let got = answer["errors"].as_array().map(|errors| errors.iter().map(|error| error["extensions"]["status"].clone()).collect::<Vec<_>>());
    let wanted = (status >= 400).then(|| vec![json!(status)]);
    if got == wanted {
        return Vec::new();
    }
    let whose = if is_own { "its own" } else { "another's" };
    vec![format!("{} of {whose} ({}) by {} in GraphQL: {answer} and not {status}", row.operation, row.about, role.unwrap_or("nobody"))]
}

fn variables(template: &str, address: &str, body: Value) -> Value {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut variables = Map::new();
    for (name, value) in template.split('/').zip(path.split('/')) {
        if let Some(name) = name.strip_prefix('{') {
            variables.insert(name.trim_end_matches('}').to_owned(), json!(value));
        }
    }
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        variables.insert(name.to_owned(), json!(value));
    }
    for (name, value) in body.as_object().into_iter().flatten() {
        variables.insert(name.clone(), value.clone());
    }
    variables.insert("input".into(), body);
    // The values of enumerations.
    for name in ["kind", "status", "roles"] {
        if let Some(value) = variables.get_mut(name) {
            *value = upper(value);
        }
    }
    variables.into()
}

fn upper(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(upper).collect(),
        value => json!(value.as_str().expect("a name").to_uppercase()),
    }
}
