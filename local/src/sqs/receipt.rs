//! Receipt handles, and what they allow.

use base64::{Engine, engine::general_purpose::STANDARD};
use rusqlite::OptionalExtension;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    error::{Error, Result, coded, in_range, invalid_value, missing, parse, refused},
    store::{Queue, Session},
};

/// Longest time that a message may stay in flight after one receive.
const MAX_IN_FLIGHT_SECONDS: i64 = 43_200;

/// Stands for one receive of one message.
pub(super) struct Receipt {
    handle: String,
    position: i64,
    received: i64,
}

impl Receipt {
    pub(super) fn new(queue: &str, position: i64, received: i64) -> Self {
        let handle = STANDARD.encode(format!("{queue} {position} {received} {}", Uuid::new_v4()));
        Self { handle, position, received }
    }

    pub(super) fn handle(&self) -> &str {
        &self.handle
    }

    fn read(handle: String, queue: &str) -> Result<Self> {
        let parse = || {
            let text = String::from_utf8(STANDARD.decode(&handle).ok()?).ok()?;
            let [name, position, received, nonce] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
            Uuid::parse_str(nonce).ok()?;
            (name == queue).then_some((position.parse().ok()?, received.parse().ok()?))
        };
        match parse() {
            Some((position, received)) => Ok(Self { handle, position, received }),
            None => Err(refused("ReceiptHandleIsInvalid", format!("The input receipt handle \"{handle}\" is not a valid receipt handle."))),
        }
    }

    fn expired(&self) -> Error {
        invalid_value("ReceiptHandle", &self.handle, "The receipt handle has expired.")
    }
}

/// What a receipt handle still stands for.
enum Standing {
    /// The last receive of a message that is hidden.
    InFlight,
    /// The last receive of a message that has become visible again.
    Visible,
    /// The message was received again since.
    Stale,
    /// The message is gone.
    Gone,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    receipt_handle: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeVisibility {
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

impl Session<'_> {
    /// Deletes a message. Who was too late for it is told so by a FIFO queue only, as in the real service.
    pub(super) fn delete(&self, queue: &Queue, request: Value) -> Result<Value> {
        let request: Delete = parse(request)?;
        let receipt = Receipt::read(request.receipt_handle.ok_or_else(|| missing("ReceiptHandle"))?, &queue.name)?;
        match (self.standing(queue, &receipt)?, queue.is_fifo()) {
            (Standing::InFlight, _) | (Standing::Visible, false) => {
                self.db.prepare_cached("DELETE FROM messages WHERE position = ?1")?.execute([receipt.position])?;
                Ok(json!({}))
            }
            (Standing::Visible | Standing::Stale, true) => Err(receipt.expired()),
            (Standing::Stale, false) | (Standing::Gone, _) => Ok(json!({})),
        }
    }

    pub(super) fn change_visibility(&self, queue: &Queue, request: Value) -> Result<Value> {
        let request: ChangeVisibility = parse(request)?;
        let receipt = Receipt::read(request.receipt_handle.ok_or_else(|| missing("ReceiptHandle"))?, &queue.name)?;
        let timeout = in_range("VisibilityTimeout", request.visibility_timeout, 0..=MAX_IN_FLIGHT_SECONDS)?;
        let timeout = timeout.ok_or_else(|| missing("VisibilityTimeout"))?;
        match (self.standing(queue, &receipt)?, queue.is_fifo()) {
            (Standing::InFlight, _) => {}
            (Standing::Visible | Standing::Stale, true) => return Err(receipt.expired()),
            (Standing::Visible, false) => {
                let message = "The specified message isn't in flight.";
                return Err(coded("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", message));
            }
            (Standing::Stale, false) | (Standing::Gone, _) => {
                let reason = "Message does not exist or is not available for visibility timeout change.";
                return Err(invalid_value("ReceiptHandle", receipt.handle, reason));
            }
        }
        if self.now - receipt.received + 1000 * timeout > 1000 * MAX_IN_FLIGHT_SECONDS {
            let reason = format!("Total VisibilityTimeout for the message is beyond the limit [{MAX_IN_FLIGHT_SECONDS} seconds].");
            return Err(invalid_value("VisibilityTimeout", timeout, &reason));
        }
        let mut update = self.db.prepare_cached("UPDATE messages SET visible = ?2 WHERE position = ?1")?;
        update.execute((receipt.position, self.now + 1000 * timeout))?;
        Ok(json!({}))
    }

    fn standing(&self, queue: &Queue, receipt: &Receipt) -> Result<Standing> {
        let mut select = self.db.prepare_cached("SELECT receipt, visible FROM messages WHERE position = ?1 AND queue = ?2")?;
        let row = select.query_row((receipt.position, &queue.name), |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?)));
        Ok(match row.optional()? {
            None => Standing::Gone,
            Some((last, _)) if last.as_ref() != Some(&receipt.handle) => Standing::Stale,
            Some((_, visible)) if visible > self.now => Standing::InFlight,
            Some(_) => Standing::Visible,
        })
    }
}
