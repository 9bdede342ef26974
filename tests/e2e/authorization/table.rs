//! The table.

/// What each caller gets for an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Its id in the contract.
    pub(super) operation: &'static str,
    /// What it is done to, or asked for.
    pub(super) about: &'static str,
    /// The status for nobody in particular.
    pub(super) anonymous: u16,
    /// For each role alone, of what belongs to the caller.
    pub(super) own: [u16; 5],
    /// For each role alone, of what belongs to somebody else.
    pub(super) others: [u16; 5],
}

/// An account has one role and no other, though roles add up: so an admin is no editor here, and an editor no author. What stands in
/// `about` is explained where it is made, in `world.rs`. Whoever may not know of a thing gets 404. Where nothing belongs to anybody, both
/// halves say the same.
const TABLE: &str = "
                                   |      | own:                                   | another's:
operation               about      | none | reader commenter author editor  admin  | reader commenter author editor  admin

register-user           -          |  201 |   201     201      201    201    201   |   201     201      201    201    201
list-users              -          |  401 |   403     403      403    403    200   |   403     403      403    403    200
get-user                -          |  200 |   200     200      200    200    200   |   200     200      200    200    200
replace-user            -          |  401 |   200     200      200    200    200   |   403     403      403    403    200
update-user             bio        |  401 |   200     200      200    200    200   |   403     403      403    403    200
update-user             off        |  401 |   403     403      403    403    200   |   403     403      403    403    200
delete-user             -          |  401 |   202     202      202    202    202   |   403     403      403    403    202
replace-user-roles      all        |  401 |   403     403      403    403    403   |   403     403      403    403    200
replace-user-roles      one        |  401 |   403     403      403    403    200   |   403     403      403    403    200
create-session          -          |  201 |   201     201      201    201    201   |   201     201      201    201    201
refresh-session         -          |  401 |   401     401      401    401    401   |   401     401      401    401    401
list-sessions           -          |  401 |   200     200      200    200    200   |   200     200      200    200    200
delete-session          session    |  401 |   204     204      204    204    204   |   204     204      204    204    204
delete-sessions         -          |  401 |   204     204      204    204    204   |   204     204      204    204    204
create-api-token        -          |  401 |   201     201      201    201    201   |   403     403      403    403    403
list-api-tokens         -          |  401 |   200     200      200    200    200   |   403     403      403    403    200
delete-api-token        token      |  401 |   204     204      204    204    204   |   403     403      403    403    204
create-access-token     token      |  201 |   201     201      201    201    201   |   201     201      201    201    201
create-second-factor    -          |  401 |   201     201      201    201    201   |   403     403      403    403    403
confirm-second-factor   pending    |  401 |   200     200      200    200    200   |   403     403      403    403    403
get-second-factor       -          |  401 |   200     200      200    200    200   |   403     403      403    403    403
remove-second-factor    factor     |  401 |   204     204      204    204    204   |   403     403      403    403    403
create-webhook          -          |  401 |   403     403      403    403    201   |   403     403      403    403    201
list-webhooks           -          |  401 |   403     403      403    403    200   |   403     403      403    403    200
get-webhook             webhook    |  401 |   403     403      403    403    200   |   403     403      403    403    200
update-webhook          webhook    |  401 |   403     403      403    403    200   |   403     403      403    403    200
delete-webhook          doomed     |  401 |   403     403      403    403    204   |   403     403      403    403    204
rotate-webhook-secret   webhook    |  401 |   403     403      403    403    201   |   403     403      403    403    201
ping-webhook            webhook    |  401 |   403     403      403    403    202   |   403     403      403    403    202
list-webhook-deliveries webhook    |  401 |   403     403      403    403    200   |   403     403      403    403    200
repeat-webhook-delivery webhook    |  401 |   403     403      403    403    202   |   403     403      403    403    202
create-export           -          |  401 |   202     202      202    202    202   |   403     403      403    403    403
get-export              export     |  401 |   200     200      200    200    200   |   403     403      403    403    403
list-audit-events       -          |  401 |   403     403      403    403    200   |   403     403      403    403    200
begin-sign-in           -          |  404 |   404     404      404    404    404   |   404     404      404    404    404
finish-sign-in          -          |  422 |   422     422      422    422    422   |   422     422      422    422    422
link-identity           -          |  401 |   404     404      404    404    404   |   403     403      403    403    403
list-identities         -          |  401 |   200     200      200    200    200   |   403     403      403    403    403
unlink-identity         -          |  401 |   204     204      204    204    204   |   403     403      403    403    403
create-email-verification - | 202 |   202     202      202    202    202   |   202     202      202    202    202
verify-email            -          |  404 |   404     404      404    404    404   |   404     404      404    404    404
create-password-reset   -          |  202 |   202     202      202    202    202   |   202     202      202    202    202
reset-password          -          |  404 |   404     404      404    404    404   |   404     404      404    404    404
replace-password        -          |  401 |   204     204      204    204    204   |   403     403      403    403    403
get-notification-preferences - | 401 | 200    200      200    200    200   |   403     403      403    403    403
replace-notification-preferences - | 401 | 200 200     200    200    200   |   403     403      403    403    403
confirm-unsubscription  -          |  404 |   404     404      404    404    404   |   404     404      404    404    404
unsubscribe             -          |  404 |   404     404      404    404    404   |   404     404      404    404    404
get-jwks                -          |  200 |   200     200      200    200    200   |   200     200      200    200    200

create-post             -          |  401 |   403     403      201    403    403   |   403     403      201    403    403
list-posts              published  |  200 |   200     200      200    200    200   |   200     200      200    200    200
list-posts              drafts     |  401 |   200     200      200    200    200   |   403     403      403    200    403
list-posts              all-drafts |  401 |   403     403      403    200    403   |   403     403      403    200    403
get-post                published  |  200 |   200     200      200    200    200   |   200     200      200    200    200
get-post                draft      |  404 |   200     200      200    200    200   |   404     404      404    200    404
replace-post            published  |  401 |   403     403      200    200    403   |   403     403      403    200    403
replace-post            draft      |  401 |   403     403      200    200    403   |   404     404      404    200    404
update-post             published  |  401 |   403     403      200    200    403   |   403     403      403    200    403
update-post             draft      |  401 |   403     403      200    200    403   |   404     404      404    200    404
delete-post             published  |  401 |   403     403      204    204    403   |   403     403      403    204    403
delete-post             draft      |  401 |   403     403      204    204    403   |   404     404      404    204    404
list-revisions          published  |  401 |   200     200      200    200    200   |   403     403      403    200    403
list-revisions          draft      |  401 |   200     200      200    200    200   |   404     404      404    200    404
get-revision            published  |  401 |   200     200      200    200    200   |   403     403      403    200    403
get-revision            draft      |  401 |   200     200      200    200    200   |   404     404      404    200    404

create-comment          published  |  401 |   403     201      403    403    403   |   403     201      403    403    403
create-comment          draft      |  401 |   403     404      403    403    403   |   403     404      403    403    403
list-comments           published  |  200 |   200     200      200    200    200   |   200     200      200    200    200
list-comments           draft      |  404 |   200     200      200    200    200   |   404     404      404    200    404
get-comment             approved   |  200 |   200     200      200    200    200   |   200     200      200    200    200
get-comment             held       |  404 |   200     200      200    200    200   |   404     404      404    200    404
replace-comment         approved   |  401 |   403     200      403    403    403   |   403     403      403    403    403
replace-comment         held       |  401 |   403     200      403    403    403   |   403     404      403    403    403
update-comment          approved   |  401 |   403     200      403    403    403   |   403     403      403    403    403
update-comment          held       |  401 |   403     200      403    403    403   |   403     404      403    403    403
delete-comment          approved   |  401 |   204     204      204    204    204   |   403     403      403    204    403
delete-comment          held       |  401 |   204     204      204    204    204   |   404     404      404    204    404
replace-comment-status  approved   |  401 |   403     403      403    200    403   |   403     403      403    200    403
replace-comment-status  held       |  401 |   403     403      403    200    403   |   403     403      403    200    403
list-moderation         -          |  401 |   403     403      403    200    403   |   403     403      403    200    403

list-reactions          published  |  200 |   200     200      200    200    200   |   200     200      200    200    200
list-reactions          draft      |  404 |   200     200      200    200    200   |   404     404      404    200    404
put-reaction            published  |  401 |   204     403      403    403    403   |   204     403      403    403    403
put-reaction            draft      |  401 |   404     403      403    403    403   |   404     403      403    403    403
delete-reaction         published  |  401 |   204     403      403    403    403   |   204     403      403    403    403
delete-reaction         draft      |  401 |   404     403      403    403    403   |   404     403      403    403    403
list-followers          -          |  200 |   200     200      200    200    200   |   200     200      200    200    200
put-follower            -          |  401 |   204     403      403    403    403   |   403     403      403    403    403
delete-follower         follow     |  401 |   204     403      403    403    403   |   403     403      403    403    403
list-following          -          |  200 |   200     200      200    200    200   |   200     200      200    200    200
get-feed                -          |  401 |   200     403      403    403    403   |   200     403      403    403    403
list-tags               -          |  200 |   200     200      200    200    200   |   200     200      200    200    200

check-liveness          -          |  204 |   204     204      204    204    204   |   204     204      204    204    204
check-readiness         -          |  204 |   204     204      204    204    204   |   204     204      204    204    204
get-contract            -          |  200 |   200     200      200    200    200   |   200     200      200    200    200
read-docs               -          |  200 |   200     200      200    200    200   |   200     200      200    200    200
";

/// The rows of the table.
pub(super) fn rows() -> Vec<Row> {
    // The first line is empty, and two are the heading.
    TABLE.lines().skip(3).filter(|line| !line.is_empty()).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let parts: Vec<_> = line.split('|').collect();
    let [name, anonymous, own, others] = parts[..] else { panic!("{line:?} has four parts") };
    let [operation, about] = name.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line:?} names an operation and what it is about") };
    let statuses = |part: &str| part.split_whitespace().map(|status| status.parse().expect("a status")).collect::<Vec<u16>>();
    let each = |part| <[u16; 5]>::try_from(statuses(part)).unwrap_or_else(|_| panic!("{line:?} has a status for each role"));
    let [anonymous] = statuses(anonymous)[..] else { panic!("{line:?} has a status for nobody in particular") };
    Row { operation, about, anonymous, own: each(own), others: each(others) }
}
