//! The local KMS, through the official client where the wire matters and through `Service` for the rest.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    primitives::Blob,
    types::DataKeyPairSpec,
};
use bytes::Bytes;
use http::Response;
use p256::{
    PublicKey, SecretKey,
    pkcs8::{DecodePrivateKey, DecodePublicKey},
};
use quire_local::{
    kms::{Kms, OpenError},
    service::Service,
    stack::Key,
};
use serde_json::{Value, json};

#[path = "support/serve.rs"]
mod serve;

const ARN: &str = "arn:aws:kms:eu-west-1:000000000000:key/11111111-1111-1111-1111-111111111111";
const ID: &str = "11111111-1111-1111-1111-111111111111";
const OTHER: &str = "22222222-2222-2222-2222-222222222222";

fn keys(ids: &[&str]) -> BTreeMap<String, Key> {
    let key = |id: &str| Key {
        id: id.to_owned(),
        arn: format!("arn:aws:kms:eu-west-1:000000000000:key/{id}"),
        aliases: if id == ID { vec!["alias/quire-signing".to_owned()] } else { vec![] },
    };
    ids.iter().map(|id| (format!("Key{}", &id[..1]), key(id))).collect()
}

fn open(path: &Path) -> Kms {
    Kms::open(path, &keys(&[ID, OTHER])).unwrap()
}

async fn call(kms: &Kms, operation: &str, request: Value) -> Result<Value, String> {
    let response: Response<Bytes> = kms.call(operation, Bytes::from(request.to_string())).await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    if response.status().is_success() { Ok(body) } else { Err(body["__type"].as_str().unwrap().to_owned()) }
}

async fn generate(kms: &Kms, context: Value) -> String {
    let request = json!({"KeyId": ID, "KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": context});
    let pair = call(kms, "GenerateDataKeyPairWithoutPlaintext", request).await.unwrap();
    pair["PrivateKeyCiphertextBlob"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_sdk_makes_a_pair_and_decrypts_its_private_half() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve::serve(open(&folder.path().join("keys.json"))).await;
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Credentials::new("quire", "secret", None, None, "test"))
        .http_client(serve::http_client())
        .build();
    let client = Client::from_conf(config);

    for name in [ID, ARN, "alias/quire-signing", "arn:aws:kms:eu-west-1:000000000000:alias/quire-signing"] {
        let request = client.generate_data_key_pair_without_plaintext().key_id(name).key_pair_spec(DataKeyPairSpec::EccNistP256);
        let pair = request.encryption_context("purpose", "sign").send().await.unwrap();
        assert_eq!(pair.key_id(), Some(ARN));
        let public = PublicKey::from_public_key_der(pair.public_key().unwrap().as_ref()).unwrap();

        let request = client.decrypt().ciphertext_blob(pair.private_key_ciphertext_blob().unwrap().clone());
        let opened = request.key_id(name).encryption_context("purpose", "sign").send().await.unwrap();
        assert_eq!(opened.key_id(), Some(ARN));
        let secret = SecretKey::from_pkcs8_der(opened.plaintext().unwrap().as_ref()).unwrap();
        assert_eq!(secret.public_key(), public);
    }

    let request = client.encrypt().key_id(ID).plaintext(Blob::new(*b"a secret")).encryption_context("user", "ada");
    let sealed = request.send().await.unwrap();
    let open =
        |user: &str| client.decrypt().ciphertext_blob(sealed.ciphertext_blob().unwrap().clone()).key_id(ID).encryption_context("user", user).send();
    assert_eq!(open("ada").await.unwrap().plaintext().unwrap().as_ref(), b"a secret");
    assert!(open("bob").await.unwrap_err().into_service_error().is_invalid_ciphertext_exception());

    let error = client.decrypt().ciphertext_blob(Blob::new(*b"garbage")).send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_ciphertext_exception(), "{error:?}");
    let error = client.decrypt().key_id("alias/absent").ciphertext_blob(Blob::new(*b"x")).send().await.unwrap_err().into_service_error();
    assert!(error.is_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_ciphertext_opens_only_unchanged_with_its_own_context_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let kms = open(&folder.path().join("keys.json"));
    let blob = generate(&kms, json!({"a": "1"})).await;
    let decrypt = |blob: &str, context: Value| json!({"CiphertextBlob": blob, "EncryptionContext": context});

    assert!(call(&kms, "Decrypt", decrypt(&blob, json!({"a": "1"}))).await.is_ok());
    for context in [json!({}), json!({"a": "2"}), json!({"a": "1", "b": "2"})] {
        assert_eq!(call(&kms, "Decrypt", decrypt(&blob, context)).await.unwrap_err(), "InvalidCiphertextException");
    }
    let wrong_key = json!({"CiphertextBlob": blob, "EncryptionContext": {"a": "1"}, "KeyId": OTHER});
    assert_eq!(call(&kms, "Decrypt", wrong_key).await.unwrap_err(), "IncorrectKeyException");

    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = STANDARD.decode(&blob).unwrap();
    for place in [0, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert_eq!(call(&kms, "Decrypt", decrypt(&STANDARD.encode(changed), json!({"a": "1"}))).await.unwrap_err(), "InvalidCiphertextException");
    }
    assert_eq!(call(&kms, "Decrypt", decrypt("", json!({}))).await.unwrap_err(), "InvalidCiphertextException");
}

#[tokio::test]
async fn what_it_does_not_support_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let kms = open(&folder.path().join("keys.json"));
    let cases = [
        ("GenerateRandom", json!({"NumberOfBytes": 8}), "UnsupportedOperationException"),
        ("Encrypt", json!({"KeyId": ID, "Plaintext": ""}), "ValidationException"),
        ("Encrypt", json!({"KeyId": ID, "Plaintext": "A".repeat(5464)}), "ValidationException"),
        ("Encrypt", json!({"KeyId": ID, "Plaintext": "not base64"}), "SerializationException"),
        ("Encrypt", json!({"KeyId": "absent", "Plaintext": "aGk="}), "NotFoundException"),
        ("Encrypt", json!({"KeyId": ID, "Plaintext": "aGk=", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}), "InvalidKeyUsageException"),
        ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyId": ID, "KeyPairSpec": "RSA_2048"}), "UnsupportedOperationException"),
        ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyId": ID, "KeyPairSpec": "ECC_NIST_P256", "DryRun": true}), "ValidationException"),
        ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyPairSpec": "ECC_NIST_P256"}), "ValidationException"),
        ("GenerateDataKeyPairWithoutPlaintext", json!({"KeyId": "absent", "KeyPairSpec": "ECC_NIST_P256"}), "NotFoundException"),
        ("Decrypt", json!({"CiphertextBlob": "aGk=", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}), "InvalidKeyUsageException"),
        ("Decrypt", json!({"CiphertextBlob": "not base64"}), "SerializationException"),
    ];
    for (operation, request, code) in cases {
        assert_eq!(call(&kms, operation, request.clone()).await.unwrap_err(), code, "{operation} {request}");
    }
}

#[tokio::test]
async fn master_keys_stay_the_same_across_starts_and_only_the_owner_may_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let blob = generate(&Kms::open(&path, &keys(&[ID])).unwrap(), json!({})).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // A key added to the stack later joins the file; the first one still opens what it sealed.
    let kms = open(&path);
    assert!(call(&kms, "Decrypt", json!({"CiphertextBlob": blob})).await.is_ok());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let without = Kms::open(&path, &keys(&[OTHER])).unwrap();
    assert_eq!(call(&without, "Decrypt", json!({"CiphertextBlob": blob})).await.unwrap_err(), "AccessDeniedException");

    std::fs::write(&path, format!("{{\"{ID}\": \"c2hvcnQ=\"}}")).unwrap();
    assert!(matches!(Kms::open(&path, &keys(&[ID])), Err(OpenError::Corrupt { .. })));
}
