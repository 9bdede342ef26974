//! What the pages of long lists of posts cost.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::{StreamExt, stream};
use serde_json::json;

use crate::{Quire, text};

type Item = HashMap<String, AttributeValue>;

/// Items in one `BatchWriteItem` (its quota).
const BATCH: usize = 25;
/// Batches at a time.
const AT_ONCE: usize = 16;
/// Partitions that the pages read.
const LISTS: [&str; 3] = ["POSTS#", "TAG#", "AUTHOR#"];

/// A Quire whose published posts are all of one author, in one year, with one tag.
pub struct LongLists {
    quire: Quire,
    author: String,
    /// A published post in each list, as Quire itself wrote it.
    listed: Vec<Item>,
    length: usize,
}

impl LongLists {
    /// Lists of one post.
    pub async fn start() -> Self {
        // Nothing follows from items that only lists have.
        let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
        let ada = quire.person("ada").await;
        let post = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "On engines", "tags": ["engines"]})).await.expect(201);
        quire.patch_as(&ada, &format!("/api/v1/posts/{}", text(&post["postId"])), &json!({"status": "published"})).await.expect(200);
        let in_list = |item: &Item| LISTS.iter().any(|list| item["pk"].as_s().is_ok_and(|pk| pk.starts_with(list)));
        let listed: Vec<_> = quire.items().await.into_iter().filter(in_list).collect();
        assert_eq!(listed.len(), LISTS.len());
        Self { quire, author: ada.id, listed, length: 1 }
    }

    /// Puts posts into the lists until they have this many. Only the lists have them: nothing else is read for a page.
    pub async fn grow(&mut self, length: usize) {
        let dynamodb = self.quire.dynamodb();
        let numbers: Vec<_> = (self.length..length).collect();
        let batches = numbers.chunks(BATCH).flat_map(|numbers| self.listed.iter().map(move |item| (numbers, item)));
        let writes = batches.map(|(numbers, item)| {
            let puts = numbers.iter().map(|number| {
                let put = PutRequest::builder().set_item(Some(twin(item, *number))).build().expect("a request");
                WriteRequest::builder().put_request(put).build()
            });
            let request = dynamodb.batch_write_item().request_items(self.quire.table(), puts.collect());
            async move {
                let unprocessed = request.send().await.expect("the posts are stored").unprocessed_items.unwrap_or_default();
                assert_eq!(unprocessed, HashMap::new());
            }
        });
        stream::iter(writes).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
        self.length = length;
    }

    /// Pages of twenty posts: a page's name, its calls of DynamoDB with the units of each, and how many posts are on it.
    pub async fn costs(&self) -> Vec<(String, String, usize)> {
        let middle = text_of(&twin(&self.listed[0], self.length / 2), "sk").to_owned();
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(middle);
        let mut costs = Vec::new();
        for (list, query) in [("", String::new()), ("?tag=", "tag=engines&".into()), ("?author=", format!("author={}&", self.author))] {
            for (page, position) in [("first", String::new()), ("middle", format!("cursor={cursor}"))] {
                let path = format!("/api/v1/posts?{query}{position}");
                let path = path.trim_end_matches(['&', '?']);
                // The first request of a process fetches keys.
                self.quire.get(path).await.expect(200);
                self.quire.faults().consumed();
                let reply = self.quire.get(path).await.expect(200);
                let calls: Vec<_> = self.quire.faults().consumed().iter().map(|(call, units)| format!("{} {units}", call.operation)).collect();
                let posts = reply["items"].as_array().map_or(0, Vec::len);
                assert!(reply["nextCursor"].is_string(), "more posts follow");
                costs.push((format!("`GET /api/v1/posts{list}`, {page} page"), calls.join(", "), posts));
            }
        }
        costs
    }

    /// Stops everything.
    pub async fn stop(self) {
        self.quire.stop().await;
    }
}

/// The same post, published a number of seconds into the same year and with an id of its own.
fn twin(item: &Item, number: usize) -> Item {
    let (year, _) = text_of(item, "publishedAt").split_once('-').expect("a date");
    let (day, hour, minute, second) = (1 + number / 86_400, number / 3600 % 24, number / 60 % 60, number % 60);
    let at = format!("{year}-01-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z");
    let id = format!("0190a5a5-0000-7000-8000-{number:012}");
    let mut twin = item.clone();
    for (name, value) in [("sk", format!("{at}#{id}")), ("id", id), ("publishedAt", at)] {
        assert!(twin.insert(name.to_owned(), AttributeValue::S(value)).is_some(), "a post in a list has a {name}");
    }
    twin
}

fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().expect("a text")
}
