"""Sends the requests of schemathesis to things that exist, and those that destroy to things that nobody else needs."""

import json
import os
import re

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData, UnsupportedMethodResponse, UseAfterFree

THINGS = json.loads(os.environ["QUIRE_THINGS"])
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# An id begins with the time when it was made: one that was made up is of another time.
TIME = THINGS["caller"][:4]
# What the account of the run needs to go on.
ITSELF = {"replace-user", "update-user", "delete-user", "replace-user-roles", "replace-password"}
DESTROY = {"delete-user", "delete-post", "delete-comment"}
CHANGE = ITSELF | {"replace-post", "update-post", "replace-comment", "update-comment", "replace-comment-status"}
# Fields and parameters whose rules no schema can say, so that a value of the right form may be refused.
LISTS = ["list-users", "list-posts", "list-revisions", "list-comments", "list-moderation", "list-reactions", "list-followers", "list-following",
         "list-api-tokens", "list-audit-events", "list-webhooks", "list-webhook-deliveries"]
BEYOND_SCHEMAS = {
    # A cursor is opaque: only the list that gave it knows it.
    **{operation: {"/cursor"} for operation in [*LISTS, "get-feed", "list-tags", "list-sessions"]},
    # Must be a comment of this post, seen by the caller and not too deep.
    "create-comment": {"/parentId"},
    # Many people use it, or it is too close to what the account says of itself.
    "register-user": {"/password"},
    # Must be in the future.
    "create-api-token": {"/expiresAt"},
    # Must be in the future and within a year, and depends on the status that the post has.
    "replace-post": {"/publishAt"},
    "update-post": {"/publishAt"},
    # Required with another address than the account has.
    "replace-user": {"/currentPassword"},
    "update-user": {"/currentPassword"},
    # There is this or `error`.
    "finish-sign-in": {"/code"},
}


@schemathesis.hook
def before_call(context, case, kwargs):
    operation, parameters = case.operation.definition.raw.get("operationId"), dict(case.path_parameters or {})
    use = "destroy" if operation in DESTROY else "change" if operation in CHANGE else "read"
    kind = "comments" if "commentId" in parameters else "posts" if "postId" in parameters else "users"
    made_up = [name for name, value in parameters.items() if ID.fullmatch(str(value)) and not str(value).startswith(TIME)]
    if made_up:
        choice = int(parameters[made_up[-1]][-4:], 16)
        # One of eight stays as it is: nothing is there.
        if choice % 8:
            thing = THINGS[use][kind][choice % len(THINGS[use][kind])]
            parameters.update({name: thing[name] for name in parameters if name in thing})
    if operation in ITSELF and parameters.get("userId") == THINGS["caller"]:
        parameters["userId"] = THINGS[use]["users"][0]["userId"]
    if parameters != (case.path_parameters or {}):
        case.path_parameters = parameters
    if case.meta and case.meta.generation.mode.is_positive:
        # A cursor that is made up is of no list, and what is written exists: with these nothing else of the request would be tried.
        if "cursor" in (case.query or {}) and len(case.query["cursor"]) % 4:
            case.query = {name: value for name, value in case.query.items() if name != "cursor"}
        if operation in CHANGE and "If-None-Match" in (case.headers or {}) and "If-Match" in case.headers:
            del case.headers["If-None-Match"]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure counts: what a contract of schemas cannot say is no defect."""
    if response.status_code == 431:
        # The gateway's own reply to an address that is too long; no function has seen the request.
        return "x-correlation-id" in response.headers
    if isinstance(failure, UnsupportedMethodResponse):
        # Another address takes DELETE, and there `refresh` stands in the place of an id.
        return (case.method, case.operation.path, response.status_code) != ("DELETE", "/api/v1/sessions/refresh", 404)
    if isinstance(failure, UseAfterFree):
        # An account is erased later (202), a deleted comment keeps its place in the thread, and a list of sessions can be empty.
        return not re.match(r"DELETE \S*/(users/[^/]+|comments/[^/]+|sessions)$", failure.free)
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    name, pointers = problem["type"].removeprefix("urn:quire:problem:"), {error["pointer"] for error in problem.get("errors", [])}
    sent = {header.lower() for header in response.request.headers}
    excused = (
        # Preconditions are of the right form and do not hold, which is what they are for.
        (name == "version-mismatch" and sent & {"if-match", "if-none-match"})
        # A key that stood in another request before is refused, whatever the schema of keys.
        or (name == "idempotency-key-reused" and "idempotency-key" in sent)
        # Only a sign-in that has begun is finished, and only by its browser.
        or name == "sign-in-invalid"
        # Rules of values that only the server knows, operation by operation.
        or (name == "invalid-input" and pointers and pointers <= BEYOND_SCHEMAS.get(case.operation.definition.raw["operationId"], set()))
    )
    return not excused
