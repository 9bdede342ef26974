//! How each view and each input stands in XML and in Protocol Buffers; in JSON they stand as they are.

use quire_app::{
    access_tokens::{AccessTokenView, NewAccessToken},
    api_tokens::{ApiTokenView, IssuedApiTokenView, NewApiToken},
    audit::AuditEventView,
    comments::{CommentReplacement, CommentStatusReplacement, CommentView, NewComment},
    exports::ExportView,
    follows::FollowView,
    identities::{IdentityView, NewIdentity, SignInView},
    notifications::{NotificationPreferencesReplacement, NotificationPreferencesView},
    page::PageView,
    passwords::{NewPasswordReset, PasswordReplacement, PasswordReset},
    posts::{PostListItem, PostReplacement, PostView, RevisionListItem, RevisionView},
    reactions::ReactionView,
    second_factor_changes::{
        NewSecondFactor, PendingSecondFactorView, RecoveryCodesView, SecondFactorConfirmation, SecondFactorRemoval, SecondFactorView,
    },
    sessions::{NewSession, SessionRefresh, SessionSummaryView, SessionView},
    tags::TagView,
    users::{NewUser, RoleReplacement, UserReplacement, UserView},
    verification::NewEmailVerification,
    webhooks::{DeliveryView, IssuedWebhookView, NewWebhook, WebhookSecretView, WebhookView},
};
use quire_domain::post::Draft;
use quire_proto::v1;
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::ProblemView;

/// What goes over the wire in several forms. They agree: each is made from, or read into, the members of the JSON form.
pub trait Wire {
    /// The root element in XML.
    const ELEMENT: &'static str;
    /// The message in Protocol Buffers.
    type Message: quire_proto::Message + Serialize + DeserializeOwned;
}

macro_rules! wire {
    ($($type:ty => $element:literal, $message:ty;)*) => {
        $(
            impl Wire for $type {
                const ELEMENT: &'static str = $element;
                type Message = $message;
            }
        )*

        #[cfg(test)]
        mod all {
            use super::*;

            /// Name of the message, root element, and the way into the message and back, for each view and input.
            pub(super) fn forms() -> Vec<tests::Form> {
                vec![$(tests::Form::of::<$message>($element)),*]
            }
        }
    };
}

wire! {
    NewUser => "user", v1::NewUser;
    UserReplacement => "user", v1::UserReplacement;
    RoleReplacement => "roleReplacement", v1::RoleReplacement;
    UserView => "user", v1::User;
    PageView<UserView> => "page", v1::UserPage;
    NewSession => "session", v1::NewSession;
    SessionView => "session", v1::Session;
    SessionRefresh => "session", v1::SessionRefresh;
    PageView<SessionSummaryView> => "page", v1::SessionPage;
    NewEmailVerification => "emailVerification", v1::NewEmailVerification;
    NewPasswordReset => "passwordReset", v1::NewPasswordReset;
    PasswordReset => "passwordReset", v1::PasswordReset;
    PasswordReplacement => "passwordReplacement", v1::PasswordReplacement;
    Draft => "post", v1::NewPost;
    PostReplacement => "post", v1::PostReplacement;
    PostView => "post", v1::Post;
    PageView<PostListItem> => "page", v1::PostPage;
    RevisionView => "revision", v1::Revision;
    PageView<RevisionListItem> => "page", v1::RevisionPage;
    PageView<TagView> => "page", v1::TagPage;
    NewComment => "comment", v1::NewComment;
    CommentView => "comment", v1::Comment;
    PageView<CommentView> => "page", v1::CommentPage;
    CommentReplacement => "comment", v1::CommentReplacement;
    CommentStatusReplacement => "comment", v1::CommentStatusReplacement;
    PageView<ReactionView> => "page", v1::ReactionPage;
    PageView<FollowView> => "page", v1::FollowPage;
    NewApiToken => "apiToken", v1::NewApiToken;
    IssuedApiTokenView => "apiToken", v1::IssuedApiToken;
    PageView<ApiTokenView> => "page", v1::ApiTokenPage;
    NewAccessToken => "accessToken", v1::NewAccessToken;
    AccessTokenView => "accessToken", v1::AccessToken;
    NewSecondFactor => "secondFactor", v1::NewSecondFactor;
    PendingSecondFactorView => "secondFactor", v1::PendingSecondFactor;
    SecondFactorConfirmation => "secondFactor", v1::SecondFactorConfirmation;
    RecoveryCodesView => "recoveryCodes", v1::RecoveryCodes;
    SecondFactorView => "secondFactor", v1::SecondFactor;
    SecondFactorRemoval => "secondFactor", v1::SecondFactorRemoval;
    PageView<AuditEventView> => "page", v1::AuditEventPage;
    NewIdentity => "identity", v1::NewIdentity;
    SignInView => "signIn", v1::SignIn;
    IdentityView => "identity", v1::Identity;
    PageView<IdentityView> => "page", v1::IdentityPage;
    NotificationPreferencesReplacement => "notificationPreferences", v1::NotificationPreferences;
    NotificationPreferencesView => "notificationPreferences", v1::NotificationPreferences;
    NewWebhook => "webhook", v1::NewWebhook;
    IssuedWebhookView => "webhook", v1::IssuedWebhook;
    WebhookView => "webhook", v1::Webhook;
    PageView<WebhookView> => "page", v1::WebhookPage;
    WebhookSecretView => "webhookSecret", v1::WebhookSecret;
    DeliveryView => "webhookDelivery", v1::WebhookDelivery;
    PageView<DeliveryView> => "page", v1::WebhookDeliveryPage;
    ExportView => "export", v1::Export;
    ProblemView<'_> => "problem", v1::Problem;
}

#[cfg(test)]
mod tests {
    use proptest::{
        prelude::*,
        sample::select,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };
    use quick_xml::{Reader, events::Event};
    use quire_proto::{Error, decode, encode};
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::document::xml;

    pub(super) struct Form {
        schema: &'static str,
        element: &'static str,
        encode: fn(Value) -> Result<Vec<u8>, Error>,
        decode: fn(&[u8]) -> Result<Value, Error>,
    }

    impl Form {
        pub(super) fn of<M: quire_proto::Message + Serialize + DeserializeOwned>(element: &'static str) -> Self {
            let schema = std::any::type_name::<M>().rsplit("::").next().unwrap();
            Self { schema, element, encode: encode::<M>, decode: decode::<M> }
        }
    }

    /// Documents of a schema of the contract, whatever else the schema says of texts and numbers.
    fn documents(contract: &Value, schema: &Value) -> BoxedStrategy<Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            return documents(contract, contract.pointer(reference.trim_start_matches('#')).unwrap());
        }
        if let Some(reference) = schema["allOf"][0]["$ref"].as_str() {
            let mut base = contract.pointer(reference.trim_start_matches('#')).unwrap().clone();
            base["required"] = schema["required"].clone();
            return documents(contract, &base);
        }
        if let Some(values) = schema["enum"].as_array() {
            return select(values.clone()).boxed();
        }
        if let Some(value) = schema.get("const") {
            return Just(value.clone()).boxed();
        }
        match schema["type"].as_str() {
            Some("string") => "[^\\p{Cc}\u{fffe}\u{ffff}]{1,20}".prop_map(Value::from).boxed(),
            Some("integer") => any::<u32>().prop_map(Value::from).boxed(),
            Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
            Some("array") => proptest::collection::vec(documents(contract, &schema["items"]), 1..4).prop_map(Value::from).boxed(),
            Some("object") => {
                let required: Vec<_> = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
                let members = schema["properties"].as_object().unwrap().iter().map(|(name, property)| {
                    let (name, is_required, documents) = (name.clone(), required.contains(&name.as_str()), documents(contract, property));
                    let member = documents.prop_map(move |value| (name.clone(), value));
                    if is_required { member.prop_map(Some).boxed() } else { proptest::option::of(member).boxed() }
                });
                let members: Vec<_> = members.collect();
                members.prop_map(|members| Value::Object(members.into_iter().flatten().collect::<Map<_, _>>())).boxed()
            }
            other => panic!("{other:?} in {schema}"),
        }
    }

    /// An element's text, or its elements in their order.
    #[derive(Debug, PartialEq)]
    enum Element {
        Text(String),
        Elements(Vec<(String, Element)>),
    }

    /// What a document must look like in XML.
    fn expected(value: &Value) -> Element {
        match value {
            Value::String(text) => Element::Text(text.clone()),
            Value::Object(members) => {
                let each = |(name, value): (&String, &Value)| match value {
                    Value::Array(items) => items.iter().map(|item| (name.clone(), expected(item))).collect(),
                    value => vec![(name.clone(), expected(value))],
                };
                Element::Elements(members.iter().flat_map(each).collect())
            }
            scalar => Element::Text(scalar.to_string()),
        }
    }

    fn read(reader: &mut Reader<&[u8]>) -> Element {
        let (mut text, mut elements) = (String::new(), Vec::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    let name = start.name().as_ref().to_owned();
                    elements.push((name, read(reader)));
                }
                Event::Empty(start) => elements.push((start.name().as_ref().to_owned(), Element::Text(String::new()))),
                Event::Text(part) => text.push_str(&part),
                Event::GeneralRef(reference) => {
                    let name = reference.to_string();
                    let character = reference.resolve_char_ref().unwrap().map(String::from);
                    let predefined = quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned);
                    text.push_str(&character.or(predefined).unwrap());
                }
                Event::Decl(_) => {}
                Event::End(_) | Event::Eof => break,
                other => panic!("{other:?}"),
            }
        }
        if elements.is_empty() { Element::Text(text) } else { Element::Elements(elements) }
    }

    #[test]
    fn the_three_forms_of_every_document_agree() {
        let contract: Value = serde_json::from_str(quire_contract::JSON).unwrap();
        let forms = all::forms();
        assert!(forms.len() > 10);
        let config = Config { failure_persistence: None, cases: 64, ..Config::default() };
        for Form { schema, element, encode, decode } in forms {
            let documents = documents(&contract, &json!({"$ref": format!("#/components/schemas/{schema}")}));
            TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(RngAlgorithm::ChaCha))
                .run(&documents, |document| {
                    let message = encode(document.clone()).unwrap();
                    prop_assert_eq!(decode(&message).unwrap(), document.clone(), "{} as a message", schema);
                    let text = String::from_utf8(xml(element, &document).unwrap()).unwrap();
                    let root = Element::Elements(vec![(element.to_owned(), expected(&document))]);
                    prop_assert_eq!(read(&mut Reader::from_str(&text)), root, "{} as XML: {}", schema, text);
                    Ok(())
                })
                .unwrap();
        }
    }
}
