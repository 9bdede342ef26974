//! Batches: what the fields of one level ask for one by one is read at once.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::{BoxFuture, FutureExt, Shared};
use quire_app::Error;

use crate::failure::Failure;

/// How often a batch lets others run after the last key that it got. Those that run ask for what they need, though not all in one turn.
const TURNS: usize = 8;

type Outcome<K, V> = Result<Arc<HashMap<K, V>>, Failure>;
type Batch<K, V> = Shared<BoxFuture<'static, Outcome<K, V>>>;
type Read<K, V> = Box<dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Failure>> + Send + Sync>;
/// The keys of a batch until it is read.
type Keys<K> = Arc<Mutex<Option<Vec<K>>>>;

/// Reads things by their keys, many at once and each once.
pub(crate) struct Loader<K, V> {
    read: Arc<Read<K, V>>,
    state: Mutex<State<K, V>>,
}

struct State<K, V> {
    batches: HashMap<K, Batch<K, V>>,
    open: Option<(Keys<K>, Batch<K, V>)>,
}

impl<K, V> fmt::Debug for Loader<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Loader")
    }
}

impl<K: Hash + Eq + Copy + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Loader<K, V> {
    pub(crate) fn new(read: impl Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Failure>> + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(Box::new(read)), state: Mutex::new(State { batches: HashMap::new(), open: None }) }
    }

    /// What is at `key`, if anything is.
    pub(crate) async fn load(&self, key: K) -> Result<Option<V>, Failure> {
        let batch = self.batch(key);
        Ok(batch.await?.get(&key).cloned())
    }

    /// Forgets what was read.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { batches: HashMap::new(), open: None };
    }

    fn batch(&self, key: K) -> Batch<K, V> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = state.batches.get(&key) {
            return batch.clone();
        }
        let joined = state.open.as_ref().and_then(|(keys, batch)| {
            keys.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.push(key);
            Some(batch.clone())
        });
        let batch = joined.unwrap_or_else(|| {
            let keys = Arc::new(Mutex::new(Some(vec![key])));
            let batch = self.begin(keys.clone());
            state.open = Some((keys, batch.clone()));
            batch
        });
        state.batches.insert(key, batch.clone());
        batch
    }

    /// A task of its own reads the batch: as a part of those who wait for it, it would take a turn whenever one of them does.
    fn begin(&self, keys: Keys<K>) -> Batch<K, V> {
        let read = self.read.clone();
        let batch = tokio::spawn(async move {
            let count = || keys.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Vec::len);
            let (mut known, mut turns) = (count(), 0);
            while turns < TURNS {
                tokio::task::yield_now().await;
                turns += 1;
                if count() != known {
                    (known, turns) = (count(), 0);
                }
            }
            let keys = keys.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            read(keys).await.map(Arc::new)
        });
        let batch = async { batch.await.unwrap_or_else(|error| Err(Error::internal("reading a batch", error).into())) };
        batch.boxed().shared()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_for_at_once_is_read_at_once_and_once() {
        let reads = Arc::new(Mutex::new(Vec::new()));
        let seen = reads.clone();
        let loader = Loader::new(move |keys: Vec<u32>| {
            seen.lock().unwrap().push(keys.clone());
            async move { Ok(keys.into_iter().filter(|key| *key != 3).map(|key| (key, key * 10)).collect()) }.boxed()
        });
        let loaded = join_all([1, 2, 1, 3].map(|key| loader.load(key))).await;
        assert_eq!(loaded.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Some(10), Some(20), Some(10), None]);
        assert_eq!(loader.load(2).await.unwrap(), Some(20));
        assert_eq!(loader.load(4).await.unwrap(), Some(40));
        assert_eq!(*reads.lock().unwrap(), [vec![1, 2, 3], vec![4]]);
        loader.clear();
        assert_eq!(loader.load(2).await.unwrap(), Some(20));
        assert_eq!(reads.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_batch_waits_for_those_who_ask_some_turns_later() {
        let reads = Arc::new(Mutex::new(Vec::new()));
        let seen = reads.clone();
        let loader = Loader::new(move |keys: Vec<usize>| {
            seen.lock().unwrap().push(keys.len());
            async move { Ok(keys.into_iter().map(|key| (key, key)).collect()) }.boxed()
        });
        let late = |key: usize| {
            let loader = &loader;
            async move {
                for _ in 0..key % TURNS {
                    tokio::task::yield_now().await;
                }
                loader.load(key).await.unwrap()
            }
        };
        assert!(join_all((0..100).map(late)).await.into_iter().eq((0..100).map(Some)));
        assert_eq!(*reads.lock().unwrap(), [100]);
    }
}
