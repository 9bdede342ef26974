//! Dead-letter queues, there and back.

use super::*;

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let (source, dead) = create_pair(&client, 2).await;
    let id = send(&client, &source, "poison").await;
    for count in ["1", "2"] {
        assert_eq!(receives(&receive(&client, &source, 0, 0).await[0]), count);
    }
    send(&client, &source, "fine").await;
    let waiting = tokio::spawn({
        let (client, dead) = (client.clone(), dead.clone());
        async move { receive(&client, &dead, 0, 20).await }
    });
    // The message given up does not take the place of the next one.
    assert_eq!(bodies(&receive(&client, &source, 30, 20).await), ["fine"]);
    let given_up = tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap();
    assert_eq!(bodies(&given_up), ["poison"]);
    assert_eq!(given_up[0].message_id(), Some(id.as_str()));
    assert_eq!(receives(&given_up[0]), "3");
    assert_eq!(system(&given_up[0], MessageSystemAttributeName::DeadLetterQueueSourceArn), Some(arn("source").as_str()));
    let sources = client.list_dead_letter_source_queues().queue_url(&dead).send().await.unwrap();
    assert_eq!(sources.queue_urls(), [source]);
}

#[tokio::test]
async fn a_redrive_policy_must_name_a_queue_of_the_same_type() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    create(&client, "dead.fifo", &[("FifoQueue", "true")]).await;
    for (target, max_receives, expected) in
        [("dead.fifo", 3, "InvalidParameterValue"), ("none", 3, "InvalidParameterValue"), ("dead.fifo", 0, "InvalidAttributeValue")]
    {
        let request = client.create_queue().queue_name("source");
        let result = request.attributes(QueueAttributeName::RedrivePolicy, redrive_to(target, max_receives)).send().await;
        assert_eq!(code(result), expected, "{target} {max_receives}");
    }
    let result = client.get_queue_url().queue_name("source").send().await;
    assert_eq!(code(result), "AWS.SimpleQueueService.NonExistentQueue");
}

#[tokio::test]
async fn a_move_task_sends_messages_back_to_their_queue() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let (source, dead) = create_pair(&client, 1).await;
    let id = send(&client, &source, "retry me").await;
    receive(&client, &source, 0, 0).await;
    assert!(receive(&client, &source, 0, 0).await.is_empty());

    assert_eq!(code(client.start_message_move_task().source_arn(arn("source")).send().await), "InvalidParameterValue");
    assert_eq!(code(client.start_message_move_task().source_arn(arn("none")).send().await), "ResourceNotFoundException");
    client.start_message_move_task().source_arn(arn("dead")).send().await.unwrap();
    let moved = receive(&client, &source, 30, 20).await;
    assert_eq!(bodies(&moved), ["retry me"]);
    assert_eq!(receives(&moved[0]), "1");
    assert_ne!(moved[0].message_id(), Some(id.as_str()), "a moved message is a new one");
    assert!(receive(&client, &dead, 0, 0).await.is_empty());
    let tasks = client.list_message_move_tasks().source_arn(arn("dead")).send().await.unwrap().results.unwrap();
    assert_eq!((tasks[0].status(), tasks[0].approximate_number_of_messages_moved()), (Some("COMPLETED"), 1));
}

#[tokio::test]
async fn a_move_task_can_be_cancelled() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let (_, dead) = create_pair(&client, 1).await;
    let elsewhere = create(&client, "elsewhere", &[]).await;
    for number in 1..=9 {
        send(&client, &dead, &number.to_string()).await;
    }
    // Nothing says where a message that was sent to the dead-letter queue belongs.
    client.start_message_move_task().source_arn(arn("dead")).send().await.unwrap();
    let task = || async { client.list_message_move_tasks().source_arn(arn("dead")).send().await.unwrap().results.unwrap().remove(0) };
    assert_eq!(task().await.failure_reason(), Some("CouldNotDetermineMessageSource"));

    let request = client.start_message_move_task().source_arn(arn("dead")).destination_arn(arn("elsewhere"));
    let handle = request.clone().max_number_of_messages_per_second(1).send().await.unwrap().task_handle.unwrap();
    assert_eq!(bodies(&receive(&client, &elsewhere, 30, 20).await)[0], "1");
    assert_eq!(code(request.send().await), "AWS.SimpleQueueService.UnsupportedOperation");
    client.cancel_message_move_task().task_handle(&handle).send().await.unwrap();
    assert_eq!(task().await.status(), Some("CANCELLED"));
    assert_eq!(code(client.cancel_message_move_task().task_handle(&handle).send().await), "AWS.SimpleQueueService.UnsupportedOperation");
    assert_eq!(code(client.cancel_message_move_task().task_handle("none").send().await), "ResourceNotFoundException");
}
