//! The second factor where it is asked for: codes by time (TOTP, RFC 6238) and recovery codes.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use quire_domain::{
    Error, Result, Timestamp,
    audit::{AuditData, Refusal, SignInMethod},
    error::Credentials,
    id::UserId,
    second_factor::SecondFactor,
    user::User,
};
use quire_store::{Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use totp_rs::{Algorithm, Builder, Totp};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    opaque,
    ports::{KeyVault, Purpose},
    rates,
};

/// Digits of a code by time.
const DIGITS: usize = 6;
/// Random bytes of a recovery code: more than 112 bits, so that a plain hash is enough (ASVS 5.0, 6.5.2).
const RECOVERY_BYTES: usize = 15;
/// Hexadecimal digits of a recovery code between two hyphens.
const GROUP: usize = 5;

/// Second factors, whose secrets `vault` has encrypted.
#[derive(Clone)]
pub struct SecondFactors {
    store: Store,
    vault: Arc<dyn KeyVault>,
}

/// What a code has done to a factor. Not before it is written has the code been used.
pub(crate) struct Used {
    pub(crate) after: SecondFactor,
    pub(crate) is_recovery: bool,
}

/// A code, by its form.
enum Code<'a> {
    ByTime(&'a str),
    Recovery(Zeroizing<[u8; RECOVERY_BYTES]>),
}

impl SecondFactors {
    /// The second factors in `store`.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>) -> Self {
        Self { store, vault }
    }

    /// The second step of signing in, once the password is right: how the account was proved. A code is used up before anything is done
    /// with it, so that whatever fails later, none works twice.
    pub(crate) async fn prove(&self, call: &Call, user: &User, code: Option<&SecretString>) -> Result<SignInMethod> {
        // One that is not active is refused afterwards as if it did not exist: nothing tells here that it does.
        if user.second_factor_at.is_none() || !user.is_active {
            return Ok(SignInMethod::Password);
        }
        let code = code.ok_or(Error::Unauthenticated(Credentials::SecondFactorRequired))?;
        rates::count_try(&self.store, user.id, call.now).await?;
        for _ in 0..ATTEMPTS {
            let factor: Option<SecondFactor> = self.store.get(Key::second_factor(user.id)).await?;
            // It was turned off since the account was read: whoever tries again needs none.
            let factor = factor.ok_or(Error::Contended)?;
            let Some(Used { after, is_recovery }) = self.use_code(&factor, code, call.now).await? else {
                let refused = AuditData::SessionRefused { reason: Refusal::WrongCode };
                self.store.commit(Commit::new(None, call.trace.clone(), call.now).audit(Some(user.id), refused)).await?;
                return Err(Error::Unauthenticated(Credentials::WrongCode));
            };
            let mut commit = Commit::new(Some(user.id), call.trace.clone(), call.now).update(&factor, &after);
            if is_recovery {
                commit = commit.audit(Some(user.id), AuditData::SecondFactorRecovered {});
            }
            if made(self.store.commit(commit).await)? {
                return Ok(SignInMethod::SecondFactor);
            }
        }
        Err(Error::Contended)
    }

    /// What a code does to a factor that is on; nothing if it is wrong or was used before.
    pub(crate) async fn use_code(&self, factor: &SecondFactor, code: &SecretString, now: Timestamp) -> Result<Option<Used>> {
        match Code::parse(code.expose_secret()) {
            Some(Code::ByTime(digits)) => {
                let step = self.step(factor, digits, now).await?;
                Ok(step.and_then(|step| factor.use_step(step)).map(|after| Used { after, is_recovery: false }))
            }
            Some(Code::Recovery(bytes)) => {
                Ok(factor.use_recovery(&recovery_hash(factor.user_id, &bytes)).map(|after| Used { after, is_recovery: true }))
            }
            None => Ok(None),
        }
    }

    /// The time step that a code is of: the present one, the one before or the one after it (RFC 6238, section 5.2).
    pub(crate) async fn step(&self, factor: &SecondFactor, code: &str, now: Timestamp) -> Result<Option<u64>> {
        let Some(Code::ByTime(digits)) = Code::parse(code) else { return Ok(None) };
        let ciphertext = BASE64_STANDARD.decode(&factor.ciphertext).map_err(|error| Error::internal("opening a second factor", error))?;
        let secret = self.vault.decrypt(Purpose::SecondFactor(factor.user_id), &ciphertext).await.map_err(Error::Unavailable)?;
        Ok(totp(builder(secret.expose_secret()))?.check(digits, now.seconds().unsigned_abs()))
    }

    /// The ciphertext of a new secret, base64.
    pub(crate) async fn seal(&self, user: UserId, secret: &[u8]) -> Result<String> {
        let ciphertext = self.vault.encrypt(Purpose::SecondFactor(user), secret).await.map_err(Error::Unavailable)?;
        Ok(BASE64_STANDARD.encode(ciphertext))
    }
}

impl<'a> Code<'a> {
    /// Space around a code, and hyphens and case in a recovery code, are the typist's.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::ByTime(text));
        }
        let digits = Zeroizing::new(text.bytes().filter(|byte| *byte != b'-').take(2 * RECOVERY_BYTES + 1).collect::<Vec<_>>());
        let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
        hex::decode_to_slice(digits.as_slice(), bytes.as_mut_slice()).ok()?;
        Some(Self::Recovery(bytes))
    }
}

/// A new recovery code of an account, and its hash.
pub(crate) fn recovery_code(user: UserId) -> Result<(SecretString, String)> {
    let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Error::internal("making a recovery code", error))?;
    let digits = Zeroizing::new(hex::encode(bytes.as_slice()));
    let mut text = String::with_capacity(2 * RECOVERY_BYTES + 5);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(digit);
    }
    Ok((text.into(), recovery_hash(user, &bytes)))
}

/// Hash of a recovery code, which belongs to one account.
fn recovery_hash(user: UserId, code: &[u8; RECOVERY_BYTES]) -> String {
    let mut bytes = Zeroizing::new(user.uuid().as_bytes().to_vec());
    bytes.extend_from_slice(code);
    opaque::hash(&bytes)
}

/// What every authenticator knows: SHA-1, six digits, thirty seconds. One step of delay on either side.
pub(crate) fn builder(secret: &[u8]) -> Builder {
    Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30).with_skew(1).with_secret(secret)
}

pub(crate) fn totp(builder: Builder) -> Result<Totp> {
    builder.build().map_err(|error| Error::internal("reading a second factor", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_or_a_recovery_code_however_it_was_typed() {
        let user = UserId::generate(Timestamp::from_millis(1));
        let (code, hash) = recovery_code(user).unwrap();
        let code = code.expose_secret();
        assert_eq!((code.len(), code.matches('-').count()), (35, 5), "{code}");
        for typed in [code.to_owned(), code.replace('-', ""), code.to_uppercase(), format!(" {code} ")] {
            let Some(Code::Recovery(bytes)) = Code::parse(&typed) else { panic!("{typed}") };
            assert_eq!(recovery_hash(user, &bytes), hash);
            assert_ne!(recovery_hash(UserId::generate(Timestamp::from_millis(2)), &bytes), hash, "it is of one account");
        }
        assert!(matches!(Code::parse(" 012345 "), Some(Code::ByTime("012345"))));
        let zeros = "0".repeat(31);
        for wrong in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-", &code[..34], &zeros, "gggggggggggggggggggggggggggggg"] {
            assert!(Code::parse(wrong).is_none(), "{wrong}");
        }
    }

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let totp = totp(builder(b"12345678901234567890")).unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            assert_eq!(totp.check(code, seconds), Some(seconds / 30), "{code}");
            assert!(totp.check(code, seconds + 30).is_some() && totp.check(code, seconds + 90).is_none(), "{code}");
        }
    }
}
