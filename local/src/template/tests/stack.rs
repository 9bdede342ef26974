//! The stack that comes out: the project's own template, and what the small one does not have.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::{SMALL, read, small_with, source};
use crate::{
    stack::{QueueTrigger, Route, ScheduleTrigger, Stack, Statement, StreamTrigger, Trigger},
    template::load,
};

const TABLE: &str = "arn:aws:dynamodb:eu-west-1:000000000000:table/quire-Table";

fn project() -> Stack {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"));
    load(path, &source()).unwrap_or_else(|error| panic!("{error}"))
}

fn lines<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn sqs(name: &str) -> String {
    format!("arn:aws:sqs:eu-west-1:000000000000:{name}")
}

fn table_statement(action: &str, leading_keys: &[&str]) -> Statement {
    Statement {
        allow: true,
        actions: vec![action.to_owned()],
        resources: vec![TABLE.to_owned()],
        conditions: [("ForAllValues:StringLike".to_owned(), [("dynamodb:LeadingKeys".to_owned(), lines(leading_keys))].into())].into(),
    }
}

fn send_to(names: &[&str]) -> Statement {
    let resources = names.iter().map(|name| sqs(name)).collect();
    Statement { allow: true, actions: lines(["sqs:SendMessage"]), resources, conditions: Default::default() }
}

#[test]
fn every_function_of_the_project_has_its_binary_named_after_it() {
    for function in project().functions.values() {
        let mut binary = String::new();
        for character in function.logical_id.chars() {
            if character.is_ascii_uppercase() && !binary.is_empty() {
                binary.push('-');
            }
            binary.push(character.to_ascii_lowercase());
        }
        assert_eq!(function.binary, binary);
        assert_eq!(function.name, format!("quire-{}", function.logical_id));
    }
}

#[test]
fn a_function_has_the_globals_merged_with_its_own_properties() {
    let stack = project();
    let function = &stack.functions["RegisterUser"];
    assert_eq!((function.memory, function.timeout, function.reserved_concurrency), (1024, Duration::from_secs(10), None));
    let environment = [
        ("LOG_LEVEL", "info"),
        ("AUDIT_DAYS", "365"),
        ("TABLE_NAME", "quire-Table"),
        ("AUDIT_DAYS", "365"),
        ("NEW_ACCOUNT_ROLES", "reader,commenter,author"),
        ("WRITES_PER_MINUTE", "120"),
        ("ANONYMOUS_WRITES_PER_MINUTE", "60"),
    ];
    assert_eq!(function.environment, environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let statements = [
        table_statement("dynamodb:GetItem", &["IDEMPOTENCY#*"]),
        table_statement("dynamodb:PutItem", &["USER#*", "USERS", "USERS#*", "USERNAME#*", "EMAIL#*", "OUTBOX#*", "IDEMPOTENCY#*"]),
        table_statement("dynamodb:UpdateItem", &["RATE#*"]),
    ];
    assert_eq!(function.statements, statements);
}

#[test]
fn the_relay_reads_the_stream_and_may_send_to_its_failure_queue() {
    let stack = project();
    let relay = &stack.functions["RelayOutbox"];
    let expected = StreamTrigger {
        table: "Table".to_owned(),
        batch_size: 100,
        batch_window: Duration::ZERO,
        from_trim_horizon: true,
        report_batch_item_failures: true,
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(10),
        maximum_record_age: Some(Duration::from_secs(3600)),
        on_failure: Some(sqs("quire-RelayOutboxFailures")),
        parallelization_factor: 1,
        filters: vec![json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"pk": {"S": [{"prefix": "OUTBOX#"}]}}}})],
        enabled: true,
    };
    assert_eq!(relay.triggers, [Trigger::Stream(expected)]);
    let statements = [
        table_statement("dynamodb:BatchWriteItem", &["OUTBOX#*"]),
        send_to(&[
            "quire-ModerateCommentQueue",
            "quire-FanOutPostQueue",
            "quire-SendEmailQueue",
            "quire-TallyEngagementQueue",
            "quire-EraseUserQueue",
            "quire-DeliverWebhookQueue",
            "quire-ExportUserQueue",
        ]),
        send_to(&["quire-RelayOutboxFailures"]),
    ];
    assert_eq!(relay.statements, statements);
    let url = "http://127.0.0.1:4000/000000000000/quire-ModerateCommentQueue";
    assert_eq!(relay.environment["MODERATE_COMMENT_QUEUE_URL"], url);
}

#[test]
fn the_sweep_has_a_schedule_and_the_moderation_a_queue() {
    let stack = project();
    let every_minute = ScheduleTrigger { name: "EveryMinute".to_owned(), expression: "rate(1 minute)".to_owned(), input: None, enabled: true };
    assert_eq!(stack.functions["SweepOutbox"].triggers, [Trigger::Schedule(every_minute)]);
    let queue = QueueTrigger {
        queue_arn: sqs("quire-ModerateCommentQueue"),
        batch_size: 10,
        batch_window: Duration::ZERO,
        report_batch_item_failures: true,
        maximum_concurrency: Some(10),
        filters: Vec::new(),
        enabled: true,
    };
    assert_eq!(stack.functions["ModerateComment"].triggers, [Trigger::Queue(queue)]);
}

#[test]
fn the_table_of_the_project_becomes_a_create_table_request() {
    let stack = project();
    let table = &stack.tables["Table"];
    assert_eq!((table.name.as_str(), table.arn.as_str(), table.ttl_attribute.as_deref()), ("quire-Table", TABLE, Some("expiresAt")));
    let create = json!({
        "TableName": "quire-Table",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
    });
    assert_eq!(table.create, create);
}

#[test]
fn dead_letter_queues_come_before_the_queues_that_name_them() {
    let stack = project();
    let names: Vec<&str> = stack.queues.iter().map(|queue| queue.logical_id.as_str()).collect();
    let queues = [
        "ModerateCommentQueue",
        "FanOutPostQueue",
        "SendEmailQueue",
        "TallyEngagementQueue",
        "EraseUserQueue",
        "DeliverWebhookQueue",
        "ExportUserQueue",
    ];
    let dead_letters = queues.map(|queue| queue.replace("Queue", "DeadLetters"));
    let expected = [&dead_letters.each_ref().map(String::as_str)[..], &["RelayOutboxFailures"], &queues].concat();
    assert_eq!(names, expected);
    let queue = &stack.queues[8];
    let attributes = [
        ("MessageRetentionPeriod", "345600"),
        ("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:quire-ModerateCommentDeadLetters","maxReceiveCount":5}"#),
        ("VisibilityTimeout", "180"),
    ];
    assert_eq!(queue.attributes, attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn the_cors_of_the_project_lists_its_origins_and_headers() {
    let cors = project().cors.expect("the template configures CORS");
    assert_eq!(cors.allow_origins, ["*"]);
    assert_eq!(cors.allow_methods, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
    assert_eq!((cors.max_age, cors.allow_credentials), (Some(600), false));
}

#[test]
fn a_key_has_the_same_id_at_every_start_and_another_in_another_stack() {
    let key = &project().keys["SigningKey"];
    assert_eq!(project().keys["SigningKey"], *key);
    assert_eq!(key.arn, format!("arn:aws:kms:eu-west-1:000000000000:key/{}", key.id));
    assert_eq!(project().functions["CreateSession"].environment["SIGNING_KEY_ID"], key.id);

    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"));
    let other = load(path, &super::Source { stack_name: "other".to_owned(), ..source() }).expect("the template is right");
    assert_ne!(other.keys["SigningKey"].id, key.id);
}

#[test]
fn an_alias_belongs_to_its_key() {
    let stack = read(&format!(
        "{SMALL}  Key:\n    Type: AWS::KMS::Key\n  Alias:\n    Type: AWS::KMS::Alias\n    Properties:\n      AliasName: !Sub alias/${{AWS::StackName}}-signing\n      TargetKeyId: !Ref Key\n"
    ));
    assert_eq!(stack.keys["Key"].aliases, ["alias/quire-signing"]);
}

#[test]
fn event_sources_have_the_defaults_of_sam() {
    let stack = read(SMALL);
    let worker = &stack.functions["Worker"];
    assert_eq!(worker.routes, [Route { method: "GET".to_owned(), path: "/jobs/{id}".to_owned() }]);
    assert_eq!((worker.timeout, worker.memory), (Duration::from_secs(3), 128));
    let queue = QueueTrigger {
        queue_arn: sqs("quire-Jobs"),
        batch_size: 10,
        batch_window: Duration::ZERO,
        report_batch_item_failures: false,
        maximum_concurrency: None,
        filters: Vec::new(),
        enabled: true,
    };
    let stream = StreamTrigger {
        table: "Table".to_owned(),
        batch_size: 100,
        batch_window: Duration::ZERO,
        from_trim_horizon: false,
        report_batch_item_failures: false,
        bisect_batch_on_function_error: false,
        maximum_retry_attempts: None,
        maximum_record_age: None,
        on_failure: None,
        parallelization_factor: 1,
        filters: Vec::new(),
        enabled: true,
    };
    let schedule = ScheduleTrigger { name: "Daily".to_owned(), expression: "cron(0 3 * * ? *)".to_owned(), input: None, enabled: true };
    assert_eq!(worker.triggers, [Trigger::Queue(queue), Trigger::Stream(stream), Trigger::Schedule(schedule)]);
}

#[test]
fn minus_one_is_no_limit_and_a_schedule_can_be_off() {
    let text = small_with(
        "StartingPosition: LATEST",
        "StartingPosition: LATEST\n            MaximumRetryAttempts: -1\n            MaximumRecordAgeInSeconds: -1",
    );
    let text = text.replace("cron(0 3 * * ? *)", "rate(2 hours)\n            State: DISABLED\n            Input: '{\"a\": 1}'");
    let stack = read(&text);
    let [_, Trigger::Stream(stream), Trigger::Schedule(schedule)] = stack.functions["Worker"].triggers.as_slice() else {
        panic!("the triggers are in the order of the template");
    };
    assert_eq!((stream.maximum_retry_attempts, stream.maximum_record_age), (None, None));
    assert_eq!((schedule.enabled, schedule.input.as_deref()), (false, Some("{\"a\": 1}")));
}

#[test]
fn names_can_be_given_and_a_fifo_queue_has_its_suffix() {
    let text = small_with("  Dead:\n    Type: AWS::SQS::Queue\n", "  Dead:\n    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: true\n");
    let text = text.replace("RedrivePolicy:", "QueueName: !Sub ${Stage}-jobs.fifo\n      FifoQueue: true\n      RedrivePolicy:");
    let stack = read(&text);
    assert_eq!(stack.queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(), ["quire-Dead.fifo", "dev-jobs.fifo"]);
    assert_eq!(stack.queues[1].attributes["FifoQueue"], "true");
}

#[test]
fn indexes_become_part_of_the_create_table_request() {
    let index = "GlobalSecondaryIndexes:\n        - IndexName: byOwner\n          KeySchema:\n            - {AttributeName: owner, KeyType: HASH}\n          Projection:\n            ProjectionType: INCLUDE\n            NonKeyAttributes: [title]\n";
    let stack = read(&small_with("StreamSpecification:", &format!("{index}      StreamSpecification:")));
    let expected = json!([{
        "IndexName": "byOwner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
    }]);
    assert_eq!(stack.tables["Table"].create["GlobalSecondaryIndexes"], expected);
}

#[test]
fn a_resource_whose_condition_is_false_is_left_out() {
    let text = format!("{SMALL}  Extra:\n    Type: AWS::SQS::Queue\n    Condition: IsProd\n");
    assert_eq!(read(&text).queues.len(), 2);
    let source = super::Source { parameters: [("Stage".to_owned(), "prod".to_owned())].into(), ..source() };
    assert_eq!(super::parse(&text, &source).expect("the template is right").queues.len(), 3);
}

#[test]
fn without_an_api_of_its_own_a_template_gets_the_one_that_sam_makes() {
    let text = small_with("  Api:\n    Type: AWS::Serverless::HttpApi\n", "");
    let text = text.replace(
        "            ApiId: !Ref Api\n            Method: get\n            Path: /jobs/{id}\n",
        "            Path: /jobs\n            Method: any\n",
    );
    assert_eq!(read(&text).functions["Worker"].routes, [Route { method: "ANY".to_owned(), path: "/jobs".to_owned() }]);
}
