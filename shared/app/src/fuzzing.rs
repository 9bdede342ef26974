//! What the fuzz targets may reach of what is private. It is there only when cargo-fuzz builds.

use jsonwebtoken::DecodingKey;
use secrecy::ExposeSecret;

use crate::{
    jwt,
    opaque::Opaque,
    tokens::{self, Bearer, Issuer},
};

/// A point on P-256: the generator.
const X: &str = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";
const Y: &str = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

/// What a bearer token says, as if its key were one that nobody has.
pub fn access_token(text: &str) -> Option<(String, Option<Bearer>)> {
    jwt::install();
    let kid = tokens::kid(text)?;
    let key = DecodingKey::from_ec_components(X, Y).expect("a point");
    let issuer = Issuer { issuer: "https://quire.localhost".into(), audience: "quire-api".into() };
    Some((kid, tokens::bearer(text, &key, &issuer)))
}

/// The text of an opaque token with `N` random bytes, made of what was read of it.
pub fn opaque<const N: usize>(prefix: &str, text: &str) -> Option<String> {
    Opaque::<N>::parse(prefix, text).map(|token| token.text(prefix).expose_secret().to_owned())
}
