//! Makes those wait who fail to sign in.

use std::net::IpAddr;

use quire_domain::{Error, Result, Timestamp, rate::Caller, throttle::Policy};
use quire_store::{Admission, Key, Store};

#[derive(Debug, Clone)]
pub(super) struct Throttle {
    store: Store,
}

/// A try that may be made. It is counted as a failure until it has succeeded.
#[derive(Debug)]
pub(super) struct Attempt {
    address: Key,
    known: Key,
    /// Where the failures of the name are counted, if they let it through.
    name: Option<Key>,
}

impl Throttle {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Counts a try, or gives the seconds until the next one. A name that has to wait does so for everybody but those addresses that are
    /// known to it, which have a count of their own: so no stranger can lock anybody out.
    pub(super) async fn admit(&self, name: &str, address: IpAddr, now: Timestamp) -> Result<Result<Attempt, i64>> {
        let caller = Caller::at(address);
        let (address, of_name, known) = (Key::failures_from(&caller), Key::failures_of(name), Key::known_failures(name, &caller));
        if let Admission::Wait(wait) = self.store.try_once(address.clone(), Policy::ADDRESS, now).await? {
            return Ok(Err(wait));
        }
        match self.store.try_once(of_name.clone(), Policy::NAME, now).await? {
            Admission::Admitted | Admission::Unknown => Ok(Ok(Attempt { address, known, name: Some(of_name) })),
            Admission::Wait(wait) => match self.store.try_known(known.clone(), Policy::NAME, now).await? {
                Admission::Admitted => Ok(Ok(Attempt { address, known, name: None })),
                Admission::Wait(other) => Ok(Err(wait.min(other))),
                Admission::Unknown => Ok(Err(wait)),
            },
        }
    }

    /// The try was no failure, and the address is known to the name from now on.
    pub(super) async fn succeeded(&self, attempt: &Attempt, now: Timestamp) {
        let Attempt { address, known, name } = attempt;
        let forgiven = self.store.forgive(address.clone()).await;
        let known = self.store.know(known.clone(), name.clone(), now).await;
        for error in [forgiven.err().map(Error::from), known.err().map(Error::from)].into_iter().flatten() {
            tracing::warn!(error = &error as &dyn std::error::Error, "A sign-in that succeeded still counts as a failure");
        }
    }
}
