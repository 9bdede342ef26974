//! The same table for the fields of GraphQL: each operation that has one gives what the row says of it.

use quire_tests::send;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::world::{Member, World};

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
    ("replace-user", "mutation ($userId: ID!, $bio: String) { updateUser(id: $userId, input: { bio: $bio }) { id } }"),
    ("replace-post", "mutation ($postId: ID!, $title: String) { updatePost(id: $postId, input: { title: $title }) { id } }"),
    (
        "replace-comment",
        "mutation ($postId: ID!, $commentId: ID!, $content: String!) { updateComment(postId: $postId, id: $commentId, content: $content) { id } }",
    ),
    ("list-reactions", "query ($postId: ID!) { post(id: $postId) { reactionConnection { nodes { kind } } } }"),
    ("list-revisions", "query ($postId: ID!) { revisions(postId: $postId) { nodes { version author { id } } } }"),
    ("get-revision", "query ($postId: ID!, $version: Int!) { revision(postId: $postId, version: $version) { content } }"),
    ("unsubscribe", "mutation ($token: String!) { unsubscribe(token: $token) }"),
    (
        "create-api-token",
        "mutation ($userId: ID!, $input: NewApiToken!) { createApiToken(userId: $userId, input: $input) { apiToken { id } token } }",
    ),
    ("list-api-tokens", "query ($userId: ID!) { user(id: $userId) { apiTokens { nodes { id } } } }"),
    ("delete-api-token", "mutation ($userId: ID!, $tokenId: ID!) { deleteApiToken(userId: $userId, id: $tokenId) }"),
    ("create-access-token", "mutation ($apiToken: String!) { createAccessToken(apiToken: $apiToken) { accessToken } }"),
    (
        "create-second-factor",
        "mutation ($userId: ID!, $password: String!) { createSecondFactor(userId: $userId, password: $password) { secret uri } }",
    ),
    ("confirm-second-factor", "mutation ($userId: ID!, $code: String!) { confirmSecondFactor(userId: $userId, code: $code) { recoveryCodes } }"),
    ("get-second-factor", "query ($userId: ID!) { user(id: $userId) { secondFactor { isEnabled recoveryCodesLeft } } }"),
    (
        "remove-second-factor",
        "mutation ($userId: ID!, $password: String!, $code: String!) { removeSecondFactor(userId: $userId, password: $password, code: $code) }",
    ),
    ("list-identities", "query ($userId: ID!) { user(id: $userId) { identities { provider } } }"),
    ("unlink-identity", "mutation ($userId: ID!, $provider: String!) { unlinkIdentity(userId: $userId, provider: $provider) }"),
    ("create-export", "mutation ($userId: ID!) { createExport(userId: $userId) { id status } }"),
    ("get-export", "query ($userId: ID!, $exportId: ID!) { user(id: $userId) { export(id: $exportId) { status } } }"),
    ("create-webhook", "mutation ($input: NewWebhook!) { createWebhook(input: $input) { webhook { id version } secret } }"),
    ("list-webhooks", "{ webhooks { nodes { id createdBy { id } } } }"),
    ("get-webhook", "query ($webhookId: ID!) { webhook(id: $webhookId) { id pauseReason } }"),
    ("update-webhook", "mutation ($webhookId: ID!, $input: WebhookPatch!) { updateWebhook(id: $webhookId, input: $input) { version } }"),
    ("delete-webhook", "mutation ($webhookId: ID!) { deleteWebhook(id: $webhookId) }"),
    ("rotate-webhook-secret", "mutation ($webhookId: ID!) { rotateWebhookSecret(id: $webhookId) { secret formerUntil } }"),
    ("ping-webhook", "mutation ($webhookId: ID!) { pingWebhook(id: $webhookId) { id status } }"),
    ("list-webhook-deliveries", "query ($webhookId: ID!) { webhook(id: $webhookId) { deliveries { nodes { id status attempts { failure } } } } }"),
    (
        "repeat-webhook-delivery",
        "mutation ($webhookId: ID!, $deliveryId: ID!) { repeatWebhookDelivery(webhookId: $webhookId, id: $deliveryId) { id } }",
    ),
    ("list-audit-events", "{ auditEvents { nodes { id type actor { id } subject { id } details { name values } } } }"),
];

/// Operations that GraphQL does not have; docs/graphql.md says why.
const ELSEWHERE: &[&str] = &[
    "confirm-unsubscription",
    "begin-sign-in",
    "finish-sign-in",
    "link-identity",
    "get-jwks",
    "check-liveness",
    "check-readiness",
    "get-contract",
    "read-docs",
];

/// Operations that neither have a field nor are known to have none.
pub(super) fn missing<'a>(operations: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    operations.filter(|name| document(name).is_some() == ELSEWHERE.contains(&name.as_str())).collect()
}

/// The document of an operation, if it has a field.
pub(super) fn document(operation: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(name, _)| *name == operation).map(|(_, document)| *document)
}

/// What is wrong with the reply to one case, if anything: it has the error that the status stands for, and no other.
pub(super) async fn wrong(
    world: &World,
    operation: &str,
    (template, address): (&str, &str),
    body: Option<Value>,
    caller: Option<&Member>,
    status: u16,
) -> Option<String> {
    let document = document(operation)?;
    let request = world.quire.request(Method::POST, "/graphql");
    let request = request.json(&json!({ "query": document, "variables": variables(template, address, body.unwrap_or_default()) }));
    let reply = send(if let Some(Member { person, .. }) = caller { request.bearer_auth(&person.token) } else { request }).await;
    let answer = reply.expect(200);
    let got = answer["errors"].as_array().map(|errors| errors.iter().map(|error| error["extensions"]["status"].clone()).collect::<Vec<_>>());
    let wanted = (status >= 400).then(|| vec![json!(status)]);
    (got != wanted).then(|| format!("{answer} and not {status}"))
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
    if let Some(version) = variables.get_mut("version") {
        *version = json!(version.as_str().and_then(|version| version.parse::<i32>().ok()));
    }
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
