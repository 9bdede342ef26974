// Every method of every service, by every client: `node scenario.js <base URL> <an admin's token>`.
import assert from "node:assert/strict";

import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { CommentService } from "./gen/quire/v1/comment_service_pb.js";
import { EngagementService } from "./gen/quire/v1/engagement_service_pb.js";
import { PostService } from "./gen/quire/v1/post_service_pb.js";
import { ProblemSchema } from "./gen/quire/v1/problem_pb.js";
import { SessionService } from "./gen/quire/v1/session_service_pb.js";
import { UserService } from "./gen/quire/v1/user_service_pb.js";
import { transports } from "./transports.js";

const SERVICES = [UserService, SessionService, PostService, CommentService, EngagementService];
const PASSWORD = "correct horse battery";
const [baseUrl, admin] = process.argv.slice(2);
let accounts = 0;

for (const [name, call] of transports(baseUrl)) {
  try {
    await scenario(call);
    await failures(call, name);
  } catch (error) {
    console.error(`by ${name}:`);
    throw error;
  }
  console.log(name);
}

async function scenario(send) {
  const called = new Set();
  const call = (method, ...rest) => {
    called.add(method);
    return send(method, ...rest);
  };
  const { registerUser, listUsers, getUser, replaceUser, updateUser, deleteUser, replaceUserRoles } = UserService.method;
  const { createSession, refreshSession, listSessions, deleteSession, deleteSessions } = SessionService.method;
  const username = `rpc${process.pid}x${accounts++}`;
  const email = `${username}@example.com`;
  const ada = await call(registerUser, { user: { username, email, password: PASSWORD } });
  const { userId } = ada;
  assert.equal(ada.username, username);
  await call(replaceUserRoles, { userId, roles: { roles: ["reader", "commenter", "author", "editor"] } }, admin);
  const session = await call(createSession, { session: { username, password: PASSWORD } });
  const token = session.accessToken;
  assert.equal(session.userId, userId);
  const next = await call(refreshSession, { session: { refreshToken: session.refreshToken } });
  assert.equal(next.sessionId, session.sessionId);
  const extra = await call(createSession, { session: { username, password: PASSWORD } });
  assert.equal((await call(listSessions, { limit: 1 }, token)).items.length, 1);
  await call(deleteSession, { sessionId: extra.sessionId }, token);
  const named = await call(updateUser, { userId, user: { displayName: "Ada", bio: "B" }, updateMask: { paths: ["display_name", "bio"] } }, token);
  assert.deepEqual([named.displayName, named.bio], ["Ada", "B"]);
  const bare = await call(updateUser, { userId, user: {}, updateMask: { paths: ["bio"] } }, token);
  assert.deepEqual([bare.displayName, bare.bio], ["Ada", undefined]);
  const replaced = await call(replaceUser, { userId, user: { username, email }, ifVersion: bare.version }, token);
  assert.deepEqual([replaced.displayName, replaced.version], [undefined, bare.version + 1]);
  assert.equal((await call(getUser, { userId }, token)).email, email);
  assert.equal((await call(listUsers, { limit: 1, role: "editor" }, admin)).items.length, 1);

  const { createPost, listPosts, getPost, replacePost, updatePost, deletePost, listRevisions, getRevision } = PostService.method;
  const once = { "idempotency-key": username };
  const post = { title: `By ${username}`, content: "# Hello\n".repeat(400), tags: ["rpc"], language: "en" };
  const draft = await call(createPost, { post }, token, once);
  const { postId } = draft;
  assert.deepEqual([draft.status, draft.version, draft.tags], ["draft", 1, ["rpc"]]);
  assert.equal((await call(createPost, { post }, token, once)).postId, postId);
  const published = await call(updatePost, { postId, post: { status: "published" }, ifVersion: 1 }, token);
  assert.deepEqual([published.status, published.version], ["published", 2]);
  const other = await call(replacePost, { postId, post: { ...post, title: "Other" }, ifVersion: 2 }, token);
  assert.deepEqual([other.title, other.version], ["Other", 3]);
  assert.equal((await call(getPost, { postId })).content, post.content);
  assert.ok((await call(getPost, { postId: other.slug, fields: "title,contentHtml" })).contentHtml.startsWith("<h1>"));
  assert.equal((await call(listPosts, { author: userId, limit: 5 })).items[0].postId, postId);
  assert.equal((await call(listRevisions, { postId }, token)).items.length, 2);
  assert.equal((await call(getRevision, { postId, version: 3 }, token)).title, "Other");

  const comments = CommentService.method;
  const { commentId } = await call(comments.createComment, { postId, comment: { content: "First" } }, token);
  const decided = await call(comments.replaceCommentStatus, { postId, commentId, decision: { status: "approved" } }, token);
  assert.equal(decided.status, "approved");
  assert.equal((await call(comments.updateComment, { postId, commentId, comment: { content: "Second" } }, token)).content, "Second");
  assert.equal((await call(comments.replaceComment, { postId, commentId, comment: { content: "Third" } }, token)).content, "Third");
  assert.equal((await call(comments.getComment, { postId, commentId }, token)).content, "Third");
  assert.ok((await call(comments.listComments, { postId }, token)).items.length <= 1);
  await call(comments.listModeration, { status: "held", limit: 1 }, token);
  await call(comments.deleteComment, { postId, commentId }, token);

  const { putReaction, listReactions, deleteReaction, putFollower, listFollowers, listFollowing, deleteFollower, getFeed, listTags } = EngagementService.method;
  await call(putReaction, { postId, kind: "love" }, token);
  assert.equal((await call(listReactions, { postId, kind: "love" }, token)).items[0].userId, userId);
  await call(deleteReaction, { postId, kind: "love" }, token);
  const bob = await call(registerUser, { user: { username: `${username}b`, email: `b${email}`, password: PASSWORD } });
  const follow = { userId: bob.userId, followerId: userId };
  await call(putFollower, follow, token);
  assert.equal((await call(listFollowers, { userId: bob.userId })).items[0].followerId, userId);
  assert.equal((await call(listFollowing, { userId })).items[0].userId, bob.userId);
  await call(deleteFollower, follow, token);
  await call(getFeed, { limit: 3 }, token);
  assert.equal((await call(listTags, { limit: 1 })).items.length, 1);

  await call(deletePost, { postId }, token);
  await call(deleteUser, { userId: bob.userId }, admin);
  await call(deleteSessions, {}, token);
  const missing = SERVICES.flatMap((service) => service.methods).filter((method) => !called.has(method));
  assert.deepEqual(missing.map((method) => method.name), []);
}

async function failures(call, name) {
  const { createPost, getPost } = PostService.method;
  const nobody = await failure(call(createPost, { post: { title: "T" } }));
  assert.equal(nobody.code, Code.Unauthenticated);
  const missing = await failure(call(getPost, { postId: "nothing" }));
  assert.equal(missing.code, Code.NotFound);
  const wrong = await failure(call(UserService.method.registerUser, { user: { username: "?", email: "?", password: PASSWORD } }));
  assert.equal(wrong.code, Code.InvalidArgument);
  if (name.startsWith("grpc-web")) return;
  const [info] = wrong.findDetails(ErrorInfoSchema);
  assert.deepEqual([info.reason, info.domain], ["INVALID_INPUT", "quire"]);
  const [request] = wrong.findDetails(BadRequestSchema);
  assert.deepEqual(request.fieldViolations.map((violation) => violation.field), ["username", "email"]);
  const [problem] = wrong.findDetails(ProblemSchema);
  assert.deepEqual([problem.type, problem.status], ["urn:quire:problem:invalid-input", 422]);
  assert.deepEqual(problem.errors.map((error) => error.pointer), ["/username", "/email"]);
}

async function failure(outcome) {
  try {
    await outcome;
  } catch (error) {
    return ConnectError.from(error);
  }
  assert.fail("it succeeded");
}
