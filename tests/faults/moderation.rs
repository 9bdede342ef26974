//! The consumer of a queue: crashes in the middle of a batch, duplicates, and messages that nobody can read.

use quire_local::{
    faults::{Action, Rule},
    service::ServiceError,
};
use quire_tests::eventually;
use serde_json::json;

use crate::{
    aws,
    story::{Story, calls, impatient},
};

#[tokio::test]
async fn a_consumer_whose_table_fails_moderates_each_comment_once() {
    let story = Story::with_comments(2).await;
    let mut rules = Vec::new();
    for operation in ["GetItem", "Query", "TransactWriteItems"] {
        let rule = |action| Rule::new(action).function("ModerateComment").operation(operation);
        // The AWS client repeats the first two by itself; three in a row are more than it does.
        rules.push(rule(Action::DropReply));
        rules.push(rule(Action::DropReply).times(3));
        rules.push(rule(Action::Fail(ServiceError::client("ProvisionedThroughputExceededException", "Slow down"))).times(3));
    }
    story.survives(rules).await;
}

#[tokio::test]
async fn an_event_that_is_delivered_again_and_again_is_handled_once() {
    let story = Story::with_comments(3).await;
    let quire = story.begin().await;
    let mut messages = story.messages();
    aws::send_messages(&quire, "ModerateCommentQueue", &[messages.clone(), messages.clone()].concat()).await;
    story.ends_well(&quire, 0).await;
    // In another order, long after all is done.
    messages.reverse();
    aws::send_messages(&quire, "ModerateCommentQueue", &messages).await;
    story.ends_well(&quire, 0).await;
    let reads = calls(&quire, "ModerateComment").iter().filter(|operation| *operation == "GetItem").count();
    assert!(reads >= 9, "each delivery was looked at: {reads}");
    assert_eq!(aws::count(&quire, "ModerateCommentDeadLetters").await, 0);
    quire.stop().await;
}

#[tokio::test]
async fn a_poison_message_ends_in_the_dead_letter_queue_and_its_neighbours_do_not() {
    let story = Story::with_comments(3).await;
    let quire = story.begin().await;
    impatient(&quire, 2, 5).await;
    let [first, second, third] = story.messages().try_into().expect("three messages");
    let unheard_of = first.replace("comment.created", "comment.unheard-of");
    let of_somebody_else = first.replace("comment.created", "comment.approved");
    let mut poison = vec!["no JSON".to_owned(), "[]".to_owned(), json!({"type": "comment.created"}).to_string(), unheard_of, of_somebody_else];
    let [a, b, c, d, e] = poison.clone().try_into().expect("five poison messages");
    aws::send_messages(&quire, "ModerateCommentQueue", &[a, first, b, c, second, d, e, third]).await;
    story.ends_well(&quire, 0).await;
    eventually(|| async { (aws::count(&quire, "ModerateCommentDeadLetters").await == poison.len()).then_some(()) }).await;
    let mut dead = aws::take(&quire, "ModerateCommentDeadLetters").await;
    dead.sort();
    poison.sort();
    assert_eq!(dead, poison);
    quire.stop().await;
}
