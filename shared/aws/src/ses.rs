//! The mailer: SES.

use aws_sdk_sesv2::{
    Client,
    types::{Body, Content, Destination, EmailContent, Message},
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
            let message = Message::builder().subject(content(mail.subject)?).body(body).build();
            self.client
                .send_email()
                .from_email_address(&self.from)
                .destination(Destination::builder().to_addresses(mail.to.as_str()).build())
                .content(EmailContent::builder().simple(message).build())
                .send()
                .await?;
            Ok(())
        })
    }
}
