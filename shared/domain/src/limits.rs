//! Every limit on input, in one place. `docs/api.md` lists them; a test compares the two.

/// Bytes in a request body.
pub const BODY_BYTES: usize = 1024 * 1024;
/// Characters in a username, least.
pub const USERNAME_MIN: usize = 3;
/// Characters in a username, most.
pub const USERNAME_MAX: usize = 30;
/// Characters in a display name.
pub const DISPLAY_NAME_CHARS: usize = 80;
/// Characters in what an account says of itself.
pub const BIO_CHARS: usize = 500;
/// Bytes in an e-mail address (RFC 5321, section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_BYTES: usize = 254;
/// Characters in a password, least (after NFC).
pub const PASSWORD_MIN: usize = 10;
/// Characters in a password, most (after NFC).
pub const PASSWORD_MAX: usize = 256;
/// Different characters in a password, least.
pub const PASSWORD_DISTINCT_CHARS: usize = 5;
/// Characters of a password besides what its account says of itself, least.
pub const PASSWORD_OWN_CHARS: usize = 6;
/// Seconds in which a mailed token verifies an e-mail address.
pub const EMAIL_VERIFICATION_SECONDS: i64 = 30 * 60;
/// Seconds in which a mailed token sets another password.
pub const PASSWORD_RESET_SECONDS: i64 = 15 * 60;
/// Seconds between two mails with tokens for one purpose to one account.
pub const MAIL_SECONDS: i64 = 60;
/// Characters in a post's title.
pub const TITLE_CHARS: usize = 200;
/// Bytes of UTF-8 in a post's content; a DynamoDB item holds 400 KB at most.
pub const POST_BYTES: usize = 256 * 1024;
/// Characters in a slug.
pub const SLUG_CHARS: usize = 80;
/// Characters in a post's excerpt.
pub const EXCERPT_CHARS: usize = 500;
/// Characters in a tag.
pub const TAG_CHARS: usize = 32;
/// Tags of a post.
pub const TAGS: usize = 10;
/// Characters in an address on the web.
pub const WEB_ADDRESS_CHARS: usize = 2_000;
/// Characters in a language tag (RFC 5646, section 4.4.1).
pub const LANGUAGE_CHARS: usize = 35;
/// Seconds from now in which a post can be scheduled: a year.
pub const SCHEDULE_SECONDS: i64 = 365 * 24 * 60 * 60;
/// Characters in a comment.
pub const COMMENT_CHARS: usize = 5_000;
/// Comments above a comment in its thread.
pub const COMMENT_DEPTH: u8 = 4;
/// Seconds after which a comment's author can no longer change it.
pub const COMMENT_EDIT_SECONDS: i64 = 15 * 60;
/// Links that a comment may hold before a moderator looks at it.
pub const COMMENT_LINKS: usize = 2;
/// Newest posts of an author that come into the feed of a new follower at once.
pub const FEED_BACKFILL: usize = 20;
/// Seconds after its publication that a post is in feeds: half a year.
pub const FEED_SECONDS: i64 = 180 * 24 * 60 * 60;
/// Authors whose posts are looked for when a feed is read, most.
pub const PULLED_AUTHORS: usize = 50;
/// Items on a page, when the request names no number.
pub const PAGE_DEFAULT: usize = 20;
/// Items on a page, most.
pub const PAGE_MAX: usize = 100;
/// Characters in a cursor.
pub const CURSOR_CHARS: usize = 200;
/// Characters in an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// Characters in a correlation id.
pub const CORRELATION_ID_CHARS: usize = 64;
/// Bytes in an access token; ours have about 500.
pub const TOKEN_BYTES: usize = 4096;
/// Characters in the name of a provider.
pub const PROVIDER_CHARS: usize = 32;
/// Characters in the code that a provider gives to a browser.
pub const PROVIDER_CODE_CHARS: usize = 2_048;
/// Characters in what names an account at a provider (OpenID Connect Core 1.0, section 2).
pub const PROVIDER_SUBJECT_CHARS: usize = 255;
/// Bytes in a reply of a provider.
pub const PROVIDER_REPLY_BYTES: usize = 128 * 1024;
/// Seconds in which a sign-in at a provider must be finished.
pub const SIGN_IN_SECONDS: i64 = 10 * 60;
/// Seconds that an idempotency record is replayed.
pub const IDEMPOTENCY_SECONDS: i64 = 24 * 60 * 60;
/// Seconds that the marker of an effect is kept: longer than a message can live in a queue and then in its dead-letter queue.
pub const EFFECT_SECONDS: i64 = 60 * 24 * 60 * 60;
/// Bytes of a `User-Agent` that are looked at.
pub const USER_AGENT_BYTES: usize = 512;
/// Seconds in which a refresh token that was used gets the same successor again.
pub const REFRESH_REPLAY_SECONDS: i64 = 10;
/// Failures to sign in to one name before tries must wait.
pub const SIGN_IN_FAILURES: u64 = 5;
/// Failures to sign in from one address before tries must wait.
pub const SIGN_IN_ADDRESS_FAILURES: u64 = 20;
/// Seconds that a try to sign in must wait, most.
pub const SIGN_IN_WAIT_SECONDS: i64 = 15 * 60;
/// Seconds without a try after which failures to sign in are forgotten.
pub const SIGN_IN_MEMORY_SECONDS: i64 = 24 * 60 * 60;
/// Seconds that an address from which an account has signed in is known.
pub const SIGN_IN_KNOWN_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Seconds of the window that a quota of writes is for.
pub const RATE_SECONDS: i64 = 60;
/// Characters in the name of an API token.
pub const API_TOKEN_NAME_CHARS: usize = 80;
/// API tokens of an account, with those that have expired and not been revoked.
pub const API_TOKENS: u64 = 20;
/// Seconds after which the last use of an API token is noted again.
pub const API_TOKEN_USE_SECONDS: i64 = 60 * 60;
/// Seconds in which a new second factor must be confirmed.
pub const SECOND_FACTOR_SECONDS: i64 = 10 * 60;
/// Codes that recover an account without its second factor.
pub const RECOVERY_CODES: usize = 10;
/// Codes and repeated passwords that an account may try in a minute.
pub const CODE_TRIES: u32 = 5;
/// Characters in what a webhook is for.
pub const WEBHOOK_DESCRIPTION_CHARS: usize = 200;
/// Webhooks of a deployment.
pub const WEBHOOKS: u64 = 20;
/// Seconds that a webhook's secret stays good after it was replaced.
pub const WEBHOOK_SECRET_OVERLAP_SECONDS: i64 = 24 * 60 * 60;
/// Attempts at a delivery, over about a day.
pub const WEBHOOK_ATTEMPTS: u32 = 11;
/// Seconds that a request to a webhook may take.
pub const WEBHOOK_REQUEST_SECONDS: u64 = 10;
/// Bytes of a webhook's reply that are kept.
pub const WEBHOOK_REPLY_BYTES: usize = 1_024;
/// Failures in a row after which deliveries to a webhook wait.
pub const WEBHOOK_FAILURES: u32 = 5;
/// Seconds without a success after which a webhook that fails is paused.
pub const WEBHOOK_PAUSE_SECONDS: i64 = 24 * 60 * 60;
/// Seconds from one export of an account to the next.
pub const EXPORT_INTERVAL_SECONDS: i64 = 24 * 60 * 60;
/// Seconds after which an export is over. The bucket removes its document no sooner than that (`LifecycleConfiguration` in template.yaml).
pub const EXPORT_SECONDS: i64 = 3 * 24 * 60 * 60;
/// Seconds that a link to an export is good.
pub const EXPORT_LINK_SECONDS: i64 = 5 * 60;
/// Bytes of an export, compressed.
pub const EXPORT_BYTES: usize = 100 * 1024 * 1024;
/// Seconds that a delivery is kept.
pub const WEBHOOK_DELIVERY_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Bytes in a GraphQL document.
pub const GRAPHQL_BYTES: usize = 16 * 1024;
/// Tokens in a GraphQL document.
pub const GRAPHQL_TOKENS: usize = 2_000;
/// Levels of a GraphQL document, its fragments included.
pub const GRAPHQL_DEPTH: usize = 20;
/// Fields of a GraphQL operation, each fragment's as often as it is spread.
pub const GRAPHQL_FIELDS: usize = 300;
/// Aliases in a GraphQL document.
pub const GRAPHQL_ALIASES: usize = 100;
/// What the lists that a GraphQL request reads may cost together.
pub const GRAPHQL_COST: usize = 2_000;
/// What a list costs in a GraphQL request besides its page size.
pub const GRAPHQL_LIST_COST: usize = 10;
/// Seconds that a persisted GraphQL document is kept: a month.
pub const GRAPHQL_PERSISTED_SECONDS: i64 = 30 * 24 * 60 * 60;
