//! The mailer: SES.

use aws_sdk_sesv2::{
    Client,
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader},
};
use aws_types::SdkConfig;
use futures::future::BoxFuture;
use quire_app::ports::{Mail, Mailer, PortError};
use secrecy::ExposeSecret;

/// Mail from one address.
#[derive(Debug, Clone)]
pub struct Ses {
    client: Client,
    from: String,
}

impl Ses {
    /// Mail from the address `from`.
    pub fn new(config: &SdkConfig, from: String) -> Self {
        Self { client: Client::new(config), from }
    }
}

impl Mailer for Ses {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(async move {
            let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
            let body = Body::builder().text(content(mail.text.expose_secret())?).html(content(mail.html.expose_secret())?).build();
            let mut message = Message::builder().subject(content(mail.subject)?).body(body);
            if let Some(address) = &mail.unsubscribe {
                let header = |name: &str, value: &str| MessageHeader::builder().name(name).value(value).build();
                message = message
                    .headers(header("List-Unsubscribe", &format!("<{}>", address.expose_secret()))?)
                    .headers(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")?);
            }
            self.client
                .send_email()
                .from_email_address(&self.from)
                .destination(Destination::builder().to_addresses(mail.to.as_str()).build())
                .content(EmailContent::builder().simple(message.build()).build())
                .send()
                .await?;
            Ok(())
        })
    }
}
