//! Accounts at other providers, which sign in to accounts here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Result},
    id::UserId,
    limits,
    text::{InvalidText, texts},
};

texts! {
    /// What a provider is called here: 1 to 32 of `a`–`z`, `0`–`9` and `-`, beginning with a letter.
    ProviderName,
}

impl ProviderName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let allowed = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
        let starts_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        if text.len() > limits::PROVIDER_CHARS || !starts_well || !text.chars().all(allowed) {
            return Err(InvalidText::new("must be the name of a provider"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A sign-in that has begun here and goes on at a provider. Only the browser that began it can finish it, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    /// Hash of the state that the provider sends back.
    pub state: String,
    /// Hash of what the browser keeps.
    pub binding: String,
    /// Where it goes on.
    pub provider: ProviderName,
    /// The account that the identity is to be linked to; without one, somebody signs in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<UserId>,
    /// When it ends. Compared, not left to the table's time to live.
    pub expires: Timestamp,
}

/// An account at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// What the provider is called here.
    pub provider: ProviderName,
    /// What it calls itself: `iss`.
    pub issuer: String,
    /// Names the account there, for ever: `sub`.
    pub subject: String,
    /// Since when it signs in here.
    pub linked_at: Timestamp,
}

impl Identity {
    /// Whether this is the same account at the same provider.
    fn is(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.subject == other.subject
    }
}

/// All identities of an account, in one item, so that two changes at once cannot leave it without any way to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identities {
    /// The account.
    pub user_id: UserId,
    /// One for each provider at most, oldest first.
    pub identities: Vec<Identity>,
    /// Counts changes, from 1.
    pub version: u64,
}

impl Identities {
    /// Those of an account that has none yet.
    pub fn first(user_id: UserId, identity: Identity) -> Self {
        Self { user_id, identities: vec![identity], version: 1 }
    }

    /// With one more; nothing if it is linked already.
    ///
    /// # Errors
    /// [`Error::IdentityTaken`] where another of the same provider is linked.
    pub fn link(&self, identity: Identity) -> Result<Option<Self>> {
        match self.identities.iter().find(|linked| linked.provider == identity.provider) {
            Some(linked) if linked.is(&identity) => Ok(None),
            Some(_) => Err(Error::IdentityTaken),
            None => Ok(Some(self.changed(self.identities.iter().cloned().chain([identity]).collect()))),
        }
    }

    /// Without that of a provider, and that one; nothing if none is linked.
    ///
    /// # Errors
    /// [`Error::LastSignInMethod`] where nothing would be left to sign in with.
    pub fn unlink(&self, provider: &ProviderName, has_password: bool) -> Result<Option<(Self, Identity)>> {
        let (gone, left): (Vec<_>, Vec<_>) = self.identities.iter().cloned().partition(|linked| linked.provider == *provider);
        match gone.into_iter().next() {
            None => Ok(None),
            Some(_) if left.is_empty() && !has_password => Err(Error::LastSignInMethod),
            Some(gone) => Ok(Some((self.changed(left), gone))),
        }
    }

    fn changed(&self, identities: Vec<Identity>) -> Self {
        Self { user_id: self.user_id, identities, version: self.version + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(provider: &str, subject: &str) -> Identity {
        let issuer = format!("https://{provider}.example.com");
        Identity { provider: ProviderName::parse(provider).unwrap(), issuer, subject: subject.into(), linked_at: Timestamp::from_millis(1) }
    }

    #[test]
    fn an_account_has_one_identity_of_a_provider() {
        let user_id = UserId::generate(Timestamp::from_millis(1));
        let first = Identities::first(user_id, identity("google", "1"));
        assert_eq!(first.link(identity("google", "1")).unwrap(), None);
        assert!(matches!(first.link(identity("google", "2")), Err(Error::IdentityTaken)));
        let both = first.link(identity("other", "1")).unwrap().unwrap();
        assert_eq!((both.identities.len(), both.version), (2, 2));
    }

    #[test]
    fn an_account_keeps_a_way_to_sign_in() {
        let user_id = UserId::generate(Timestamp::from_millis(1));
        let first = Identities::first(user_id, identity("google", "1"));
        let (google, other) = (ProviderName::parse("google").unwrap(), ProviderName::parse("other").unwrap());
        assert_eq!(first.unlink(&other, false).unwrap(), None);
        assert!(matches!(first.unlink(&google, false), Err(Error::LastSignInMethod)));
        let (left, gone) = first.unlink(&google, true).unwrap().unwrap();
        assert_eq!((left.identities, left.version, gone), (vec![], 2, identity("google", "1")));
        let both = first.link(identity("other", "1")).unwrap().unwrap();
        assert_eq!(both.unlink(&google, false).unwrap().unwrap().0.identities, [identity("other", "1")]);
    }

    #[test]
    fn names_of_providers_are_short_and_plain() {
        for name in ["google", "a", "my-idp-2"] {
            assert_eq!(ProviderName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "2", "-a", "Google", "a b", "a/b", &"a".repeat(33)] {
            assert!(ProviderName::parse(name).is_err(), "{name}");
        }
    }
}
