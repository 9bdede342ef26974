//! Where each item lives: every partition and sort key of the table is written here and nowhere else.

use quire_domain::{
    Timestamp,
    comment::Status as CommentStatus,
    cursor::{Followed, Position, Published, Reacted},
    details::{Language, Tag},
    event::Consumer,
    id::{ApiTokenId, AuditId, CommentId, DeliveryId, EventId, PostId, SessionId, UserId, WebhookId},
    identity::Identity,
    one_time::Purpose,
    policy::Role,
    post::Status,
    rate::Caller,
    reaction::Kind,
    revision::RevisionNumber,
    slug::Slug,
    text::{Email, EmailHash, Username},
};
use sha2::{Digest, Sha256};

/// Partitions of the outbox, so that no burst of events meets the write limit of one partition (1,000 write units a second).
pub const OUTBOX_SHARDS: u8 = 8;

/// The primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// A value that only one entity may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Of an account, and of all names that look like it.
    Username(Username),
    /// Of an account.
    Email(Email),
    /// The same, known by the hash of the address only.
    EmailHash(EmailHash),
    /// Of a post; a post keeps the slugs that it once had.
    Slug(Slug),
    /// Of an account: an account at another provider.
    Identity {
        /// The provider, as it calls itself.
        issuer: String,
        /// The account there.
        subject: String,
    },
}

impl Claim {
    /// That of an account at another provider.
    pub fn identity(identity: &Identity) -> Self {
        Self::Identity { issuer: identity.issuer.clone(), subject: identity.subject.clone() }
    }
}

/// What events know an address by.
///
/// # Panics
/// Never: a hash has its form.
pub fn email_hash(email: &Email) -> EmailHash {
    hash_of(email).parse().expect("a hash has 64 hexadecimal digits")
}

fn hash_of(text: &impl ToString) -> String {
    hex::encode(Sha256::digest(text.to_string()))
}

/// What an idempotency key is unique within: the caller and the operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyScope<'a> {
    /// The account, or nobody in particular.
    pub caller: Option<UserId>,
    /// The use case, such as `create-post`.
    pub operation: &'a str,
    /// The key that the client chose.
    pub key: &'a str,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// An account.
    pub fn user(id: UserId) -> Self {
        Self::new(format!("USER#{id}"), "USER")
    }

    /// How an account proves itself.
    pub fn credential(id: UserId) -> Self {
        Self::new(format!("USER#{id}"), "CREDENTIAL")
    }

    /// The newest token that was mailed to an account for one purpose.
    pub fn one_time_token(user: UserId, purpose: Purpose) -> Self {
        let purpose = match purpose {
            Purpose::EmailVerification => "EMAIL-VERIFICATION",
            Purpose::PasswordReset => "PASSWORD-RESET",
        };
        Self::new(format!("USER#{user}"), purpose)
    }

    /// A session of an account.
    pub fn session(user: UserId, id: SessionId) -> Self {
        Self::new(format!("USER#{user}"), id.sort_key())
    }

    /// An address that an account had, for who tells it that the address changed.
    pub fn former_email(user: UserId, version: u64) -> Self {
        Self::new(format!("USER#{user}"), format!("FORMER-EMAIL#{version:010}"))
    }

    /// That an account is erased.
    pub fn erasure(user: UserId) -> Self {
        Self::new(format!("USER#{user}"), "TOMBSTONE")
    }

    /// An erasure in the ledger of its year.
    pub fn listed_erasure(at: Timestamp, user: UserId) -> Self {
        Self::new(format!("ERASURES#{:04}", at.year()), format!("{at}#{user}"))
    }

    /// The newest export of what an account owns.
    pub fn export(user: UserId) -> Self {
        Self::new(format!("USER#{user}"), "EXPORT")
    }

    /// The identities of an account.
    pub fn identities(user: UserId) -> Self {
        Self::new(format!("USER#{user}"), "IDENTITIES")
    }

    /// A sign-in that goes on at a provider, by the hash of its state.
    pub fn sign_in(state: &str) -> Self {
        Self::new(format!("SIGN-IN#{state}"), "SIGN-IN")
    }

    /// A GraphQL document, by its hash.
    pub fn persisted_document(hash: &str) -> Self {
        Self::new(format!("PERSISTED#{hash}"), "PERSISTED")
    }

    /// Who has a unique value.
    pub fn claim(claim: &Claim) -> Self {
        let pk = match claim {
            // Two names that look alike are one claim.
            Claim::Username(username) => format!("USERNAME#{}", username.skeleton()),
            // Events name an address by the same hash, so that none stands in a queue.
            Claim::Email(email) => format!("EMAIL#{}", hash_of(email)),
            Claim::EmailHash(hash) => format!("EMAIL#{hash}"),
            Claim::Slug(slug) => format!("SLUG#{slug}"),
            // Both can be long, and neither concerns who reads keys. No issuer has a line feed.
            Claim::Identity { issuer, subject } => format!("IDENTITY#{}", hex::encode(Sha256::digest(format!("{issuer}\n{subject}")))),
        };
        Self::new(pk, "CLAIM")
    }

    /// An account in one of the lists of accounts.
    pub fn listed_user(partition: impl Into<String>, id: UserId) -> Self {
        Self::new(partition, id.sort_key())
    }

    /// Who the admins are.
    pub fn admins() -> Self {
        Self::new("ADMINS", "ADMINS")
    }

    /// A post.
    pub fn post(id: PostId) -> Self {
        Self::new(format!("POST#{id}"), "POST")
    }

    /// A post in the list of its author's posts.
    pub fn owned_post(owner: UserId, id: PostId) -> Self {
        Self::new(Self::owner(owner), id.sort_key())
    }

    /// A post in the list of published posts.
    pub fn published_post(position: Published) -> Self {
        Self::new(Self::published_in(position.at.year()), position.sort_key())
    }

    /// A post in the list of its author's published posts.
    pub fn authored_post(author: UserId, position: Published) -> Self {
        Self::new(Self::authored_by(author), position.sort_key())
    }

    /// A post in the list of published posts with a tag.
    pub fn tagged_post(tag: &Tag, position: Published) -> Self {
        Self::new(Self::tagged(tag), position.sort_key())
    }

    /// A post in the list of published posts in a language.
    pub fn post_in_language(language: &Language, position: Published) -> Self {
        Self::new(Self::in_language(language), position.sort_key())
    }

    /// A post in the list of posts with a status that is not public.
    pub fn post_with_status(status: Status, id: PostId) -> Self {
        Self::new(Self::with_status(status), id.sort_key())
    }

    /// A post in the list of those that are to be published.
    pub fn scheduled_post(position: Published) -> Self {
        Self::new(Self::SCHEDULED, position.sort_key())
    }

    /// What all posts sort before that are scheduled for `now` or earlier, and none that are scheduled for later.
    pub fn scheduled_until(now: Timestamp) -> String {
        // No id begins so late.
        format!("{now}#~")
    }

    /// What readers did with a post, in numbers. Sorts before the post itself, so that one query reads both.
    pub fn post_counts(id: PostId) -> Self {
        Self::new(format!("POST#{id}"), "COUNTS")
    }

    /// What stays of a deleted post.
    pub fn tombstone(id: PostId) -> Self {
        Self::new(format!("POST#{id}"), "TOMBSTONE")
    }

    /// What stays of a deleted post, among those that its author has deleted.
    pub fn deleted_post(author: UserId, id: PostId) -> Self {
        Self::new(Self::deleted(author), id.sort_key())
    }

    /// A slug that a post had.
    pub fn former_slug(post: PostId, slug: &Slug) -> Self {
        Self::new(format!("POST#{post}"), format!("SLUG#{slug}"))
    }

    /// An earlier version of a post.
    pub fn revision(post: PostId, number: RevisionNumber) -> Self {
        Self::new(format!("POST#{post}"), number.sort_key())
    }

    /// An earlier version in the list of its post's versions.
    pub fn listed_revision(post: PostId, number: RevisionNumber) -> Self {
        Self::new(Self::revisions(post), number.sort_key())
    }

    /// How many published posts have a tag.
    pub fn tag(tag: &Tag) -> Self {
        Self::new(Self::TAGS, tag.sort_key())
    }

    /// A comment, in the list of its post's comments.
    pub fn comment(post: PostId, id: CommentId) -> Self {
        Self::new(Self::comments(post), id.sort_key())
    }

    /// A comment in the list of those with its status, for moderators.
    pub fn moderated_comment(status: CommentStatus, id: CommentId) -> Self {
        Self::new(Self::moderation(status), id.sort_key())
    }

    /// A comment among all those of one account.
    pub fn own_comment(author: UserId, id: CommentId) -> Self {
        Self::new(Self::commented(author), id.sort_key())
    }

    /// A reaction, in the list of its post's reactions.
    pub fn reaction(post: PostId, by: UserId, kind: Kind) -> Self {
        Self::new(Self::reactions(post), Reacted { by, kind }.sort_key())
    }

    /// A reaction among all those of one account.
    pub fn own_reaction(by: UserId, post: PostId, kind: Kind) -> Self {
        Self::new(Self::reacted(by), format!("{post}#{kind}"))
    }

    /// That an account follows another.
    pub fn follow(follower: UserId, user: UserId) -> Self {
        Self::new(format!("FOLLOW#{follower}"), user.to_string())
    }

    /// An account in the list of another's followers.
    pub fn follower(user: UserId, position: Followed) -> Self {
        Self::new(Self::followers(user), position.sort_key())
    }

    /// An account in the list of those whom another follows.
    pub fn followed(follower: UserId, position: Followed) -> Self {
        Self::new(Self::following(follower), position.sort_key())
    }

    /// A post in the feed of an account.
    pub fn feed_entry(user: UserId, position: Published) -> Self {
        Self::new(Self::feed(user), position.sort_key())
    }

    /// An author whose posts are looked for when a feed is read.
    pub fn pulled(author: UserId) -> Self {
        Self::new(Self::PULLED, author.to_string())
    }

    /// An event that is not published yet.
    pub fn outbox(id: EventId) -> Self {
        let shard = id.uuid().as_bytes()[15] % OUTBOX_SHARDS;
        Self::new(Self::outbox_shard(shard), id.to_string())
    }

    /// The marker that a consumer has done what an event asks.
    pub fn effect(consumer: Consumer, id: EventId) -> Self {
        Self::new(format!("EFFECT#{}#{id}", consumer.name()), "EFFECT")
    }

    /// What an account wants to be mailed about.
    pub fn notification_preferences(user: UserId) -> Self {
        Self::new(format!("USER#{user}"), "NOTIFICATIONS")
    }

    /// The marker that an account was mailed about a comment or a follower.
    pub fn notified(user: UserId, about: &str) -> Self {
        Self::new(format!("EFFECT#{}#{about}#{user}", Consumer::SendEmail.name()), "EFFECT")
    }

    /// The record of a request with an idempotency key, among those of its account. Clients choose keys, so the table sees only their hash.
    pub fn idempotency(scope: &IdempotencyScope<'_>) -> Self {
        let IdempotencyScope { caller, operation, key } = scope;
        let hash = hash_of(&format!("{operation}\n{key}"));
        match caller {
            Some(account) => Self::new(Self::idempotencies(*account), hash),
            None => Self::new(format!("IDEMPOTENCY#{hash}"), Self::NOBODYS_RECORD),
        }
    }

    /// Where an account finds the record of the request that made it, which nobody in particular sent.
    pub fn nobodys_record(account: UserId, record: &Self) -> Self {
        Self::new(Self::idempotencies(account), &record.pk)
    }

    /// The record that a key of [`Key::nobodys_record`] leads to.
    pub fn of_nobody(&self) -> Option<Self> {
        self.sk.starts_with("IDEMPOTENCY#").then(|| Self::new(&self.sk, Self::NOBODYS_RECORD))
    }

    const NOBODYS_RECORD: &'static str = "RECORD";

    /// How many writes a caller has made in the window that began at `window`, epoch seconds.
    pub fn rate(caller: &Caller, window: i64) -> Self {
        Self::new(format!("RATE#{}", name_of(caller)), window.to_string())
    }

    /// Failures to sign in from an address.
    pub fn failures_from(caller: &Caller) -> Self {
        Self::failures("ADDRESS", &name_of(caller))
    }

    /// Failures to sign in to a name.
    pub fn failures_of(name: &str) -> Self {
        Self::failures("NAME", name)
    }

    /// Failures to sign in to a name from an address from which that succeeded before.
    pub fn known_failures(name: &str, caller: &Caller) -> Self {
        Self::failures("KNOWN", &format!("{}\n{name}", name_of(caller)))
    }

    /// People type what they like, and some type passwords: the table sees only a hash.
    fn failures(kind: &str, of: &str) -> Self {
        Self::new(format!("THROTTLE#{kind}#{}", hex::encode(Sha256::digest(of))), "THROTTLE")
    }

    /// How many codes and passwords an account has tried in the window that began at `window`, epoch seconds.
    pub fn code_tries(user: UserId, window: i64) -> Self {
        Self::new(format!("RATE#CODE#{user}"), window.to_string())
    }

    /// An API token, among those of its account.
    pub fn api_token(user: UserId, id: ApiTokenId) -> Self {
        Self::new(Self::api_tokens(user), id.sort_key())
    }

    /// How many API tokens an account has.
    pub fn api_token_count(user: UserId) -> Self {
        Self::new(Self::api_tokens(user), "COUNT")
    }

    /// A webhook, among all webhooks: each event reads them in one query.
    pub fn webhook(id: WebhookId) -> Self {
        Self::new(Self::WEBHOOKS, id.sort_key())
    }

    /// How many webhooks there are.
    pub fn webhook_count() -> Self {
        Self::new(Self::WEBHOOKS, "COUNT")
    }

    /// What requests to a webhook are signed with; apart from the webhook, so that few functions may read it.
    pub fn webhook_secrets(id: WebhookId) -> Self {
        Self::new(format!("WEBHOOK-SECRETS#{id}"), "SECRETS")
    }

    /// How well a webhook answers; apart from the webhook, whose version is for the people who change it.
    pub fn endpoint_health(id: WebhookId) -> Self {
        Self::new(format!("WEBHOOK-HEALTH#{id}"), "HEALTH")
    }

    /// A delivery, among those to its webhook.
    pub fn delivery(webhook: WebhookId, id: DeliveryId) -> Self {
        Self::new(Self::deliveries(webhook), id.sort_key())
    }

    /// The second factor of an account; apart from the account, so that few functions may read it.
    pub fn second_factor(user: UserId) -> Self {
        Self::new(format!("SECOND-FACTOR#{user}"), "SECOND-FACTOR")
    }

    /// An entry of the audit trail, among all of its month.
    pub fn audit(at: Timestamp, id: AuditId) -> Self {
        Self::new(Self::audited_in(at.month()), id.to_string())
    }

    /// An entry of the audit trail, among those about one account.
    pub fn audit_of(subject: UserId, id: AuditId) -> Self {
        Self::new(Self::audited(subject), id.to_string())
    }

    /// An entry of the audit trail, among those of sign-ins to names that no account has.
    pub fn audit_of_nobody(id: AuditId) -> Self {
        Self::new("AUDIT#NOBODY", id.to_string())
    }

    /// The public half of a signing key.
    pub fn public_key(generation: u32) -> Self {
        Self::new(Self::PUBLIC_KEYS, format!("{generation:010}"))
    }

    /// The private half of a signing key.
    pub fn private_key(generation: u32) -> Self {
        Self::new("SIGNING-PRIVATE", format!("{generation:010}"))
    }

    /// An item that never exists, read to see whether the table answers.
    pub fn health() -> Self {
        Self::new("HEALTH", "HEALTH")
    }

    /// Partition of the public halves of all signing keys.
    pub const PUBLIC_KEYS: &'static str = "SIGNING-KEYS";

    /// Partition of all webhooks. There are few.
    pub const WEBHOOKS: &'static str = "WEBHOOKS";

    /// Partition of the deliveries to one webhook.
    pub fn deliveries(webhook: WebhookId) -> String {
        format!("DELIVERIES#{webhook}")
    }

    /// Partition of all accounts.
    pub const USERS: &'static str = "USERS";

    /// Partition of the accounts that are not active.
    pub const INACTIVE_USERS: &'static str = "USERS#INACTIVE";

    /// Partition of the accounts with one role.
    pub fn users_with(role: Role) -> String {
        format!("USERS#ROLE#{role}")
    }

    /// Partition of what an account owns.
    pub fn owner(owner: UserId) -> String {
        format!("OWNER#{owner}")
    }

    /// Partition of what stays of the posts that an account has deleted.
    pub fn deleted(author: UserId) -> String {
        format!("DELETED#{author}")
    }

    /// Partition of the comments of one account.
    pub fn commented(author: UserId) -> String {
        format!("COMMENTED#{author}")
    }

    /// Partition of the reactions of one account.
    pub fn reacted(by: UserId) -> String {
        format!("REACTED#{by}")
    }

    /// Partition of the idempotency records of one account.
    pub fn idempotencies(account: UserId) -> String {
        format!("IDEMPOTENCY#{account}")
    }

    /// Partition of the posts published in one year.
    pub fn published_in(year: i16) -> String {
        format!("POSTS#{year:04}")
    }

    /// Partition of posts that are to be published, by that time. It holds only those, so it stays small.
    pub const SCHEDULED: &'static str = "SCHEDULED";

    /// Partition of the counts of all tags.
    pub const TAGS: &'static str = "TAGS";

    /// Partition of the authors whose posts are looked for when a feed is read. It holds few.
    pub const PULLED: &'static str = "PULLED";

    /// Partition of an author's published posts.
    pub fn authored_by(author: UserId) -> String {
        format!("AUTHOR#{author}")
    }

    /// Partition of the published posts with a tag.
    pub fn tagged(tag: &Tag) -> String {
        format!("TAG#{tag}")
    }

    /// Partition of the published posts in a language.
    pub fn in_language(language: &Language) -> String {
        format!("LANGUAGE#{language}")
    }

    /// Partition of the posts with a status that is not public.
    pub fn with_status(status: Status) -> String {
        format!("STATUS#{}", status.name())
    }

    /// Partition of the earlier versions of one post.
    pub fn revisions(post: PostId) -> String {
        format!("REVISIONS#{post}")
    }

    /// Partition of the comments of one post.
    pub fn comments(post: PostId) -> String {
        format!("COMMENTS#{post}")
    }

    /// Partition of the comments with one status.
    pub fn moderation(status: CommentStatus) -> String {
        let status = match status {
            CommentStatus::Pending => "pending",
            CommentStatus::Approved => "approved",
            CommentStatus::Held => "held",
            CommentStatus::Rejected => "rejected",
            CommentStatus::Deleted => "deleted",
        };
        format!("MODERATION#{status}")
    }

    /// Partition of the reactions to one post.
    pub fn reactions(post: PostId) -> String {
        format!("REACTIONS#{post}")
    }

    /// Partition of the followers of one account.
    pub fn followers(user: UserId) -> String {
        format!("FOLLOWERS#{user}")
    }

    /// Partition of those whom one account follows.
    pub fn following(follower: UserId) -> String {
        format!("FOLLOWING#{follower}")
    }

    /// Partition of the feed of one account.
    pub fn feed(user: UserId) -> String {
        format!("FEED#{user}")
    }

    /// Partition of the API tokens of one account.
    pub fn api_tokens(user: UserId) -> String {
        format!("API-TOKENS#{user}")
    }

    /// Partition of the audit trail in one month.
    pub fn audited_in((year, month): (i16, i8)) -> String {
        format!("AUDIT#{year:04}-{month:02}")
    }

    /// Partition of the audit trail of one account.
    pub fn audited(subject: UserId) -> String {
        format!("AUDIT#{subject}")
    }

    /// Partition of one shard of the outbox.
    pub fn outbox_shard(shard: u8) -> String {
        format!("OUTBOX#{shard}")
    }
}

fn name_of(caller: &Caller) -> String {
    match caller {
        Caller::Account(id) => format!("ACCOUNT#{id}"),
        Caller::Address(address) => format!("ADDRESS#{address}"),
    }
}

/// The first event id of a time: events that happened before it sort before it.
pub(crate) fn outbox_bound(before: Timestamp) -> String {
    let millis = u64::try_from(before.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string()
}
