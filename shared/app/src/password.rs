//! Password hashes: Argon2id with 19 MiB, two passes and one lane (OWASP Password Storage Cheat Sheet).

use std::convert::Infallible;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use quire_domain::{Error, Result, text::Password};

/// The hash of a password that nobody has, made with the same parameters as all others: what is compared for an unknown account.
pub(crate) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$BI8AjwL4EP4th7xXQ3wlhQ$U07UGQLfOVBVsEnV7PL/uwRsJSP8CTI2C2OJDEZgq1k";

/// A password as it was typed: it is compared, and not judged.
pub(crate) fn typed(text: &str) -> Result<Password, Infallible> {
    Ok(Password::typed(&text.into()))
}

/// Hashes a password, to PHC string format, with a new random salt.
pub(crate) fn hash(password: &Password) -> Result<String> {
    match Argon2::default().hash_password(password.expose().as_bytes()) {
        Ok(hash) => Ok(hash.to_string()),
        Err(error) => Err(Error::internal("hashing a password", error)),
    }
}

/// Whether a password has a hash. Takes the same time for every password.
pub(crate) fn matches(password: &Password, hash: &str) -> bool {
    Argon2::default().verify_password(password.expose().as_bytes(), hash).is_ok()
}

/// Whether a hash was made with other parameters than hashes are made with now.
pub(crate) fn is_outdated(hash: &str) -> bool {
    match (PasswordHash::new(hash), PasswordHash::new(NOBODY)) {
        (Ok(hash), Ok(present)) => (&hash.algorithm, &hash.version, &hash.params) != (&present.algorithm, &present.version, &present.params),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_only() {
        let hash = hash(&Password::typed(&"correct horse".into())).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches(&Password::typed(&"correct horse".into()), &hash));
        assert!(!matches(&Password::typed(&"correct horsf".into()), &hash));
    }

    #[test]
    fn a_hash_with_other_parameters_is_outdated_and_still_matches() {
        let password = Password::typed(&"correct horse battery".into());
        assert!(!is_outdated(NOBODY) && !is_outdated(&hash(&password).unwrap()) && !is_outdated("no hash"));
        let weaker = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, argon2::Params::new(8192, 1, 1, None).unwrap());
        let weaker = weaker.hash_password(password.expose().as_bytes()).unwrap().to_string();
        assert!(is_outdated(&weaker) && matches(&password, &weaker), "{weaker}");
    }

    #[test]
    fn an_unknown_account_costs_a_real_comparison() {
        let parsed = argon2::password_hash::phc::PasswordHash::new(NOBODY).unwrap();
        let real = hash(&Password::typed(&"correct horse".into())).unwrap();
        let real = argon2::password_hash::phc::PasswordHash::new(&real).unwrap();
        assert_eq!((parsed.algorithm, parsed.version, parsed.params), (real.algorithm, real.version, real.params));
        assert_eq!(parsed.hash.map(|hash| hash.as_bytes().len()), real.hash.map(|hash| hash.as_bytes().len()));
    }
}
