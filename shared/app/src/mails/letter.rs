//! The words of each mail. Whatever people have written stands in it as text.

use quick_xml::escape::escape;
use quire_domain::{
    comment::Comment,
    id::{UserId, WebhookId},
    notification::Relation,
    one_time::Purpose,
    post::Post,
    text::{Email, Username},
    user::User,
    webhook::PauseReason,
};
use secrecy::{ExposeSecret, SecretString};

use crate::ports::Mail;

/// Where the links of mails lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    front_end: Option<String>,
    api: String,
}

/// What an account is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    PasswordChanged,
    EmailChanged,
    SessionReused,
    SecondFactorChanged { is_enabled: bool },
    ApiTokenCreated,
    IdentityLinked { provider: String },
    WebhookPaused { id: WebhookId, reason: PauseReason },
    ExportReady,
}

/// What an account may want to be told.
#[derive(Debug)]
pub(super) enum News<'a> {
    Comment { relation: Relation, post: &'a Post, comment: &'a Comment, by: &'a Username },
    Follower { id: UserId, name: &'a Username },
}

/// A paragraph of a mail.
enum Paragraph<'a> {
    Words(&'a str),
    Quote(&'a str),
    Code(&'a SecretString),
    Link(&'a SecretString),
}

impl Links {
    /// Links to the front end at this address, empty for none, so that mails hold codes; and to the API at another.
    pub fn to(front_end: &str, api: &str) -> Self {
        let front_end = front_end.trim_end_matches('/');
        Self { front_end: (!front_end.is_empty()).then(|| front_end.to_owned()), api: api.trim_end_matches('/').to_owned() }
    }

    /// Where a token ends notifications.
    fn unsubscription(&self, token: &SecretString) -> SecretString {
        format!("{}/api/v1/unsubscriptions/{}", self.api, token.expose_secret()).into()
    }

    /// The mail with a token. In a link it stands behind `#`, which browsers send to no server.
    pub(super) fn token(&self, user: &User, purpose: Purpose, token: &SecretString) -> Mail {
        let minutes = purpose.seconds() / 60;
        let (subject, page, asks) = match purpose {
            Purpose::EmailVerification => ("Verify your e-mail address", "verify-email", "Show that this e-mail address is yours"),
            Purpose::PasswordReset => {
                ("Choose a new password", "reset-password", "You, or somebody else, asked for a new password of your account. Choose one")
            }
        };
        let link = self.front_end.as_ref().map(|front_end| SecretString::from(format!("{front_end}/{page}#token={}", token.expose_secret())));
        let (asks, secret) = match &link {
            Some(link) => (format!("{asks}, by this link:"), Paragraph::Link(link)),
            None => (format!("{asks}, with this code:"), Paragraph::Code(token)),
        };
        let last = format!("It is good for {minutes} minutes and for one time. If you did not ask for this, there is nothing to do.");
        mail(&user.email, subject, &user.username, &[Paragraph::Words(&asks), secret, Paragraph::Words(&last)])
    }

    /// The mail with news to an account that wants it, and that ends such mail with the token.
    pub(super) fn news(&self, user: &User, news: &News<'_>, token: &SecretString) -> Mail {
        let (subject, words, quote, page, why) = match news {
            News::Comment { relation: Relation::Author, post, comment, by } => (
                "A comment on your post",
                format!("{by} has commented on your post \u{201c}{}\u{201d}:", post.title.as_str()),
                comment.content.as_ref(),
                format!("posts/{}#comment-{}", post.id, comment.id),
                "there was a comment on your post",
            ),
            News::Comment { relation: Relation::Answered, post, comment, by } => (
                "An answer to your comment",
                format!("{by} has answered your comment on \u{201c}{}\u{201d}:", post.title.as_str()),
                comment.content.as_ref(),
                format!("posts/{}#comment-{}", post.id, comment.id),
                "somebody has answered your comment",
            ),
            News::Follower { id, name } => {
                ("You have a new follower", format!("{name} follows you from now on."), None, format!("users/{id}"), "somebody follows you")
            }
        };
        let link = self.front_end.as_ref().map(|front_end| SecretString::from(format!("{front_end}/{page}")));
        let last = format!("You get this mail because {why}. To get no more of this kind, open this address:");
        let unsubscribe = self.unsubscription(token);
        let mut paragraphs = vec![Paragraph::Words(&words)];
        paragraphs.extend(quote.map(|quote| Paragraph::Quote(quote.as_str())));
        paragraphs.extend(link.as_ref().map(Paragraph::Link));
        paragraphs.extend([Paragraph::Words(&last), Paragraph::Link(&unsubscribe)]);
        Mail { unsubscribe: Some(unsubscribe.clone()), ..mail(&user.email, subject, &user.username, &paragraphs) }
    }
}

impl Notice {
    /// The mail to an account of this name.
    pub(super) fn mail(&self, to: &Email, username: &Username) -> Mail {
        let (subject, words) = match self {
            Self::PasswordChanged => ("Your password was changed", "The password of your account was changed, and it was signed out elsewhere.".to_owned()),
            Self::EmailChanged => ("Your e-mail address was changed", "Your account has another e-mail address now. This one gets no more mail of it.".to_owned()),
            Self::SessionReused => (
                "You were signed out",
                "One of your sign-ins was used from two places, as if somebody had copied it. We have ended it. If you were signed out, sign in again."
                    .to_owned(),
            ),
            Self::SecondFactorChanged { is_enabled: true } => ("Your second factor was turned on", "Signing in to your account takes a second factor now.".to_owned()),
            Self::SecondFactorChanged { is_enabled: false } => {
                ("Your second factor was turned off", "Signing in to your account takes your password alone now.".to_owned())
            }
            Self::ApiTokenCreated => ("An API token was made", "A token was made with which a program can act for your account.".to_owned()),
            Self::WebhookPaused { id, reason: PauseReason::Gone } => {
                ("A webhook was paused", format!("Your webhook {id} was paused, because its endpoint says that it is gone."))
            }
            Self::WebhookPaused { id, reason: PauseReason::Failing } => {
                ("A webhook was paused", format!("Your webhook {id} was paused, because its endpoint has failed for a day."))
            }
            Self::ExportReady => (
                "Your export is ready",
                "The copy of all that your account owns, which was asked for, is ready, and can be fetched with your account for some days.".to_owned(),
            ),
            Self::IdentityLinked { provider } => ("A way to sign in was added", format!("Your account at {provider} signs in to this account now.")),
        };
        let last = match self {
            Self::WebhookPaused { .. } => "Mend the endpoint, switch the webhook on again, and send again what it has missed.",
            _ => "If this was you, there is nothing to do. If it was not, choose a new password and tell us.",
        };
        mail(to, subject, username, &[Paragraph::Words(&words), Paragraph::Words(last)])
    }
}

fn mail(to: &Email, subject: &'static str, username: &Username, paragraphs: &[Paragraph<'_>]) -> Mail {
    let mut text = format!("Hello {username},\n");
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{subject}</title></head><body>\n<p>Hello {},</p>\n",
        escape(username.as_str())
    );
    for paragraph in paragraphs {
        let words = match paragraph {
            Paragraph::Words(words) | Paragraph::Quote(words) => words,
            Paragraph::Code(secret) | Paragraph::Link(secret) => secret.expose_secret(),
        };
        text += &match paragraph {
            Paragraph::Quote(_) => format!("\n> {}\n", words.replace('\n', "\n> ")),
            Paragraph::Words(_) | Paragraph::Code(_) | Paragraph::Link(_) => format!("\n{words}\n"),
        };
        let words = escape(words);
        html += &match paragraph {
            Paragraph::Quote(_) => format!("<blockquote>{}</blockquote>\n", words.replace('\n', "<br>")),
            Paragraph::Words(_) => format!("<p>{words}</p>\n"),
            Paragraph::Code(_) => format!("<p><code>{words}</code></p>\n"),
            Paragraph::Link(_) => format!("<p><a href=\"{words}\">{words}</a></p>\n"),
        };
    }
    html += "</body></html>\n";
    Mail { to: to.clone(), subject, text: text.into(), html: html.into(), unsubscribe: None }
}

#[cfg(test)]
mod tests {
    use quire_domain::{Timestamp, policy::Roles, user::Registration};

    use super::*;

    fn user() -> User {
        let (username, email) = (Username::parse("ada").unwrap(), Email::parse("ada@example.com").unwrap());
        let now = Timestamp::from_millis(1);
        User::register(Registration { username, email, display_name: None, bio: None }, Roles::new(), UserId::generate(now), now).0
    }

    #[test]
    fn a_token_comes_as_a_link_where_there_is_a_front_end() {
        let token = SecretString::from("qev_abc");
        for (front_end, shown) in [("https://quire.example/", "https://quire.example/verify-email#token=qev_abc"), ("", "qev_abc")] {
            let mail = Links::to(front_end, "https://api.example").token(&user(), Purpose::EmailVerification, &token);
            let text = mail.text.expose_secret();
            assert!(text.starts_with("Hello ada,\n\n") && text.contains(&format!("\n\n{shown}\n\n")) && text.contains("30 minutes"), "{text}");
            assert_eq!(mail.html.expose_secret().contains("<a href="), !front_end.is_empty());
            assert!(!mail.subject.contains("qev_"));
        }
    }

    #[test]
    fn news_say_how_they_end() {
        let (token, id) = (SecretString::from("qun_abc"), UserId::generate(Timestamp::from_millis(2)));
        let news = News::Follower { id, name: &Username::parse("bob").unwrap() };
        for (front_end, links) in [("https://quire.example", 2), ("", 1)] {
            let mail = Links::to(front_end, "https://api.example/").news(&user(), &news, &token);
            let address = "https://api.example/api/v1/unsubscriptions/qun_abc";
            assert_eq!(mail.unsubscribe.as_ref().map(ExposeSecret::expose_secret), Some(address));
            assert!(mail.text.expose_secret().ends_with(&format!("\n\n{address}\n")), "{}", mail.text.expose_secret());
            assert_eq!(mail.html.expose_secret().matches("<a href=").count(), links);
            assert_eq!(mail.text.expose_secret().contains(&format!("https://quire.example/users/{id}")), links == 2);
        }
        assert!(Notice::PasswordChanged.mail(&user().email, &user().username).unsubscribe.is_none());
    }

    #[test]
    fn what_somebody_has_named_is_text_in_html() {
        let notice = Notice::IdentityLinked { provider: "<script>alert(\"1\")</script>".into() };
        let mail = notice.mail(&user().email, &user().username);
        assert!(mail.text.expose_secret().contains("<script>"));
        assert!(!mail.html.expose_secret().contains("<script>"));
    }
}
