//! What is refused, and the line and path that the refusal names.

use std::path::Path;

use super::{SMALL, Source, line_of, parse, refusal, small_with, source};
use crate::template::load;

/// A passage of the small template, what replaces it, text on the line of the error, and the error after its line.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (passage, replacement, marker, said) in cases {
        let text = small_with(passage, replacement);
        let expected = format!("template.yaml:{}: {said}", line_of(&text, marker));
        assert_eq!(refusal(&text).to_string(), expected);
    }
}

#[test]
fn unknown_sections_types_and_properties_are_refused() {
    let worker = "Resources.Worker.Properties";
    let tumbling = format!("{worker}.Events.Changes.Properties.TumblingWindowInSeconds: unknown property");
    let schedule = format!("{worker}.Events.Daily.Type: `ScheduleV2` must be HttpApi or SQS or DynamoDB or Schedule");
    check(&[
        ("Conditions:\n", "Rules: {}\nConditions:\n", "Rules", "Rules: unknown property"),
        ("Conditions:\n", "Mappings: {}\nConditions:\n", "Mappings", "Mappings: unknown property"),
        ("AWS::Serverless::HttpApi", "AWS::SES::Api", "AWS::SES::Api", "Resources.Api.Type: the resource type AWS::SES::Api is not supported"),
        ("      CodeUri: .\n", "      Layers: []\n", "Layers", &format!("{worker}.Layers: unknown property")),
        ("maxReceiveCount: 3\n", "maxReceiveCount: 3\n      Foo: 1\n", "Foo", "Resources.Jobs.Properties.Foo: unknown property"),
        ("BillingMode:", "Replicas: 1\n      BillingMode:", "Replicas", "Resources.Table.Properties.Replicas: unknown property"),
        ("StartingPosition:", "TumblingWindowInSeconds: 1\n            StartingPosition:", "Tumbling", &tumbling),
        ("  Dead:\n", "  Dead:\n    CreationPolicy: {}\n", "Creation", "Resources.Dead.CreationPolicy: unknown property"),
        ("    Default: dev\n", "    Default: dev\n    MinLength: 1\n", "MinLength", "Parameters.Stage.MinLength: unknown property"),
        ("Resources:\n", "Globals:\n  Api: {}\nResources:\n", "  Api: {}", "Globals.Api: unknown property"),
        (
            "Resources:\n",
            "Globals:\n  Function:\n    Policies: []\nResources:\n",
            "    Policies",
            "Globals.Function.Policies: SAM does not take this property from Globals",
        ),
        ("Resources:\n", "Globals:\n  Function:\n    Layers: []\nResources:\n", "    Layers", "Globals.Function.Layers: unknown property"),
        ("Type: Schedule", "Type: ScheduleV2", "ScheduleV2", &schedule),
        (
            "  Dead:\n",
            "  Key:\n    Type: AWS::KMS::Key\n    Properties:\n      KeySpec: RSA_2048\n  Dead:\n",
            "KeySpec",
            "Resources.Key.Properties.KeySpec: unknown property",
        ),
    ]);
}

#[test]
fn buckets_and_their_policies_are_understood_or_refused() {
    let bucket = |rule: &str| {
        let rules = format!("      LifecycleConfiguration:\n        Rules:\n          - {rule}\n");
        format!("  Files:\n    Type: AWS::S3::Bucket\n    Properties:\n{rules}  Dead:\n")
    };
    let policy = |bucket: &str, effect: &str, condition: &str| {
        let statement = format!("{{Effect: {effect}, Principal: \"*\", Action: s3:*, Resource: \"*\", Condition: {condition}}}");
        let document = format!("{{Version: \"2012-10-17\", Statement: [{statement}]}}");
        let policy =
            format!("  Policy:\n    Type: AWS::S3::BucketPolicy\n    Properties:\n      Bucket: {bucket}\n      PolicyDocument: {document}\n");
        format!("  Files:\n    Type: AWS::S3::Bucket\n{policy}  Dead:\n")
    };
    let tls = "{Bool: {aws:SecureTransport: \"false\"}}";
    let rule = "{Status: Enabled, Prefix: a/, ExpirationInDays: 3}";
    let stack = super::read(&small_with("  Dead:\n", &bucket(rule)));
    let files = &stack.buckets["Files"];
    assert_eq!((files.name.as_str(), files.arn.as_str()), ("quire-files", "arn:aws:s3:::quire-files"));
    assert_eq!(files.expirations, [crate::stack::Expiration { prefix: "a/".to_owned(), days: 3 }]);
    let disabled = small_with("  Dead:\n", &bucket(&rule.replace("Enabled", "Disabled")));
    assert_eq!(super::read(&disabled).buckets["Files"].expirations, []);
    super::read(&small_with("  Dead:\n", &policy("!Ref Files", "Deny", tls)));

    let (rules, policies) = ("Resources.Files.Properties.LifecycleConfiguration.Rules[0]", "Resources.Policy.Properties");
    let statement = format!("{policies}.PolicyDocument.Statement[0]");
    let range = "must be a whole number from 1 to 36500";
    check(&[
        ("  Dead:\n", &bucket("{Status: Enabled, Transitions: []}"), "Transitions", &format!("{rules}.Transitions: unknown property")),
        ("  Dead:\n", &bucket("{Status: Enabled, ExpirationInDays: 0}"), "ExpirationIn", &format!("{rules}.ExpirationInDays: {range}")),
        (
            "  Dead:\n",
            &bucket(rule).replace("    Properties:\n", "    Properties:\n      AccessControl: PublicRead\n"),
            "AccessControl",
            "Resources.Files.Properties.AccessControl: unknown property",
        ),
        ("  Dead:\n", &policy("!Ref Files", "Allow", tls), "PolicyDocument", &format!("{statement}.Effect: `Allow` must be Deny")),
        ("  Dead:\n", &policy("other", "Deny", tls), "Bucket: other", &format!("{policies}.Bucket: is not a bucket of this template")),
        ("  Dead:\n", &policy("!Ref Files", "Deny", "{Null: {}}"), "PolicyDocument", &format!("{statement}.Condition.Null: unknown property")),
    ]);
}

#[test]
fn a_function_must_say_how_it_is_built_and_stay_within_the_limits_of_lambda() {
    let metadata = "    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: worker\n";
    let worker = "Resources.Worker";
    check(&[
        (metadata, "", "  Worker:", "Resources.Worker: `Metadata` is missing"),
        ("rust-cargolambda", "makefile", "makefile", &format!("{worker}.Metadata.BuildMethod: `makefile` must be rust-cargolambda")),
        ("Binary: worker", "Flags: x", "Flags", &format!("{worker}.Metadata.BuildProperties.Flags: unknown property")),
        ("      Runtime: provided.al2023\n", "", "    Properties:", &format!("{worker}.Properties: `Runtime` is missing")),
        ("provided.al2023", "python3.13", "python", &format!("{worker}.Properties.Runtime: `python3.13` must be provided.al2023")),
        ("CodeUri: .", "Timeout: 901", "Timeout", &format!("{worker}.Properties.Timeout: must be a whole number from 1 to 900")),
        ("CodeUri: .", "MemorySize: 64", "Memory", &format!("{worker}.Properties.MemorySize: must be a whole number from 128 to 10240")),
        ("CodeUri: .", "Environment: {Variables: {A: [x]}}", "Environment", &format!("{worker}.Properties.Environment.Variables.A: must be text")),
    ]);
}

#[test]
fn event_sources_that_aws_would_refuse_are_refused() {
    let jobs = "Resources.Worker.Properties.Events.Jobs.Properties";
    let changes = "Resources.Worker.Properties.Events.Changes.Properties";
    let daily = "Resources.Worker.Properties.Events.Daily.Properties";
    let queue = "Queue: !GetAtt Jobs.Arn";
    let start = "StartingPosition: LATEST";
    let rate = format!("{daily}.Schedule: must be such as rate(1 minute), rate(5 minutes) or cron(0 3 * * ? *)");
    check(&[
        (
            "CodeUri: .",
            "Timeout: 31",
            queue,
            &format!("{jobs}.Queue: the queue's VisibilityTimeout of 30 s is less than the function's Timeout of 31 s"),
        ),
        (
            queue,
            "Queue: !GetAtt Jobs.Arn\n            BatchSize: 11",
            "BatchSize",
            &format!("{jobs}.BatchSize: more than 10 needs a standard queue and MaximumBatchingWindowInSeconds of at least 1"),
        ),
        (queue, "Queue: !GetAtt Table.Arn", "Queue: ", &format!("{jobs}.Queue: is not the ARN of a queue of this template")),
        (
            queue,
            "Queue: !GetAtt Jobs.Arn\n            ScalingConfig:\n              MaximumConcurrency: 1",
            "MaximumConcurrency",
            &format!("{jobs}.ScalingConfig.MaximumConcurrency: must be a whole number from 2 to 1000"),
        ),
        (
            queue,
            "Queue: !GetAtt Jobs.Arn\n            FunctionResponseTypes: [Other]",
            "Other",
            &format!("{jobs}.FunctionResponseTypes[0]: `Other` must be ReportBatchItemFailures"),
        ),
        (
            queue,
            "Queue: !GetAtt Jobs.Arn\n            FilterCriteria:\n              Filters:\n                - Pattern: '[]'",
            "Pattern",
            &format!("{jobs}.FilterCriteria.Filters[0].Pattern: must be a JSON object"),
        ),
        ("!GetAtt Table.StreamArn", "!GetAtt Table.Arn", "Stream:", &format!("{changes}.Stream: is not the StreamArn of a table of this template")),
        (
            "      StreamSpecification:\n        StreamViewType: KEYS_ONLY\n",
            "",
            "Stream:",
            &format!("{changes}.Stream: `Table` has no attribute `StreamArn`"),
        ),
        (start, "StartingPosition: NOW", "NOW", &format!("{changes}.StartingPosition: `NOW` must be TRIM_HORIZON or LATEST")),
        (
            start,
            "StartingPosition: LATEST\n            DestinationConfig:\n              OnFailure:\n                Destination: !GetAtt Dead.Arn",
            "OnFailure",
            &format!("{changes}.DestinationConfig.OnFailure: `Type` is missing"),
        ),
        ("cron(0 3 * * ? *)", "rate(1 minutes)", "rate", &rate),
        ("cron(0 3 * * ? *)", "rate(2 minute)", "rate", &rate),
        ("cron(0 3 * * ? *)", "cron(0 3 * * *)", "cron", &rate),
        (
            "cron(0 3 * * ? *)",
            "rate(1 day)\n            Enabled: true\n            State: ENABLED",
            "State: ENABLED",
            &format!("{daily}.State: give Enabled or State, not both"),
        ),
    ]);
}

#[test]
fn a_fifo_queue_takes_no_batching_window() {
    let text = SMALL.replace("    Type: AWS::SQS::Queue\n    Properties:", "    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: true");
    let text = text.replace("  Dead:\n    Type: AWS::SQS::Queue", "  Dead:\n    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: true");
    let text = text.replace("Queue: !GetAtt Jobs.Arn", "Queue: !GetAtt Jobs.Arn\n            MaximumBatchingWindowInSeconds: 1");
    let error = refusal(&text);
    assert_eq!((error.line, error.message.as_str()), (Some(line_of(&text, "MaximumBatching")), "a FIFO queue takes no batching window"));
}

#[test]
fn two_events_cannot_have_one_route() {
    let second = "        Again:\n          Type: HttpApi\n          Properties:\n            ApiId: !Ref Api\n            Method: GET\n            Path: /jobs/{name}\n";
    let text = small_with("        Jobs:\n", &format!("{second}        Jobs:\n"));
    let error = refusal(&text);
    assert_eq!(error.path, "Resources.Worker.Properties.Events.Again.Properties");
    assert_eq!(error.line, Some(line_of(&text, "Again:") + 2));
    assert_eq!(error.message, "GET /jobs/{name} is a route of `Worker` already");
}

#[test]
fn routes_that_the_gateway_would_refuse_are_refused() {
    let path = "Resources.Worker.Properties.Events.Get.Properties";
    check(&[
        ("Path: /jobs/{id}", "Path: jobs", "Path", &format!("{path}.Path: must start with a slash")),
        ("Path: /jobs/{id}", "Path: /jobs/x{id}", "Path", &format!("{path}.Path: a parameter must be a whole segment, such as {{id}} or {{proxy+}}")),
        ("Path: /jobs/{id}", "Path: '/{all+}/jobs'", "Path", &format!("{path}.Path: a greedy parameter must be the last segment")),
        ("Method: get", "Method: FETCH", "FETCH", &format!("{path}.Method: must be GET or HEAD or POST or PUT or PATCH or DELETE or OPTIONS or ANY")),
        ("ApiId: !Ref Api", "ApiId: other", "ApiId", &format!("{path}.ApiId: must be a Ref to the HTTP API of this template")),
    ]);
    let text = small_with("            ApiId: !Ref Api\n", "");
    assert_eq!(refusal(&text).message, "`ApiId` is missing, so SAM would make a second API with a URL of its own");
}

#[test]
fn policies_beyond_the_supported_are_refused() {
    let policies = "Resources.Worker.Properties.Policies";
    let statement = format!("{policies}[0].Statement");
    let with_condition = |condition: &str| format!("Action: sqs:*\n            Condition: {condition}");
    check(&[
        ("Action: sqs:*", "NotAction: sqs:*", "NotAction", &format!("{statement}.NotAction: unknown property")),
        ("Resource: \"*\"", "NotResource: \"*\"", "NotResource", &format!("{statement}.NotResource: unknown property")),
        ("Action: sqs:*", "Action: sqs:*\n            Principal: \"*\"", "Principal", &format!("{statement}.Principal: unknown property")),
        (
            "Resource: \"*\"",
            "Resource: \"${aws:username}\"",
            "username",
            &format!("{statement}.Resource: policy variables are not supported: `${{aws:username}}`"),
        ),
        (
            "        - Version: \"2012-10-17\"\n",
            "        - AWSLambdaExecute\n        - Version: \"2012-10-17\"\n",
            "AWSLambdaExecute",
            &format!("{policies}[0]: managed policies are not supported; write the statements here"),
        ),
        ("Version: \"2012-10-17\"\n", "Version: \"2008-10-17\"\n", "2008", &format!("{policies}[0].Version: `2008-10-17` must be 2012-10-17")),
        (
            "Action: sqs:*",
            &with_condition("{NumericEquals: {x: 1}}"),
            "Numeric",
            &format!("{statement}.Condition.NumericEquals: this condition operator is not supported"),
        ),
        (
            "Action: sqs:*",
            &with_condition("{StringEquals: {\"aws:SourceIp\": x}}"),
            "SourceIp",
            &format!("{statement}.Condition.StringEquals.aws:SourceIp: this condition key is not supported; known: dynamodb:LeadingKeys"),
        ),
    ]);
}

#[test]
fn dead_letter_queues_must_exist_have_the_same_kind_and_form_no_circle() {
    let path = "Resources.Jobs.Properties.RedrivePolicy.deadLetterTargetArn";
    let fifo_dead = "  Dead:\n    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: true\n";
    let kind = format!("{path}: the dead-letter queue of a FIFO queue, and of no other, must be a FIFO queue");
    check(&[
        ("!GetAtt Dead.Arn", "arn:aws:sqs:eu-west-1:000000000000:other", "deadLetter", &format!("{path}: is not a queue of this template")),
        ("!GetAtt Dead.Arn", "!GetAtt Jobs.Arn", "deadLetter", &format!("{path}: dead-letter queues form a circle")),
        ("  Dead:\n    Type: AWS::SQS::Queue\n", fifo_dead, "deadLetter", &kind),
    ]);
}

#[test]
fn broken_yaml_is_refused_at_its_line() {
    for (passage, replacement) in
        [("    Default: dev\n", "    Default: \"dev\n"), ("Conditions:\n", "Conditions: [\n"), ("Conditions:\n", "---\nConditions:\n")]
    {
        let error = refusal(&small_with(passage, replacement));
        assert!(error.line.is_some_and(|line| line > 4) && error.path.is_empty(), "{replacement:?}: {error}");
    }
    let text = small_with("    Default: dev\n", "    Default: dev\n    Default: prod\n");
    assert_eq!(refusal(&text).to_string(), "template.yaml:7: Parameters.Stage.Default: this key is there twice");
    assert_eq!(refusal("# nothing\n").to_string(), "template.yaml:1: the document is empty");
}

#[test]
fn references_of_outputs_and_of_resources_without_an_effect_are_checked() {
    check(&[
        (
            "  Dead:\n",
            "  Logs:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      Any: !Ref Nothing\n  Dead:\n",
            "Nothing",
            "Resources.Logs.Properties.Any: there is no parameter or resource `Nothing`",
        ),
        (
            "Resources:\n",
            "Outputs:\n  Url:\n    Value: !Ref Nothing\nResources:\n",
            "Nothing",
            "Outputs.Url.Value: there is no parameter or resource `Nothing`",
        ),
        ("  Dead:\n", "  Dead:\n    DependsOn: Nothing\n", "Nothing", "Resources.Dead.DependsOn: there is no resource `Nothing`"),
    ]);
}

#[test]
fn parameters_are_checked_against_their_constraints() {
    let declare = |lines: &str| small_with("Parameters:\n", &format!("Parameters:\n  P:\n{lines}"));
    let list = "    Type: CommaDelimitedList\n    AllowedValues: [a, b]\n    Default: a\n";
    let number = "    Type: Number\n    MinValue: 1\n    MaxValue: 9.5\n    Default: 1\n";
    let pattern = "    Type: String\n    AllowedPattern: https://.+\n    Default: https://x\n";
    let cases = [
        (list, "a, b", None),
        (list, "a,c", Some("Parameters.P: `c` is not one of a, b")),
        (pattern, "https://y", None),
        (pattern, "see https://y", Some("Parameters.P: `see https://y` does not match https://.+")),
        (number, "9.5", None),
        (number, "0", Some("Parameters.P: `0` is less than 1")),
        (number, "10", Some("Parameters.P: `10` is more than 9.5")),
        ("    Type: Number\n    Default: 1\n", "2.5", None),
        ("    Type: Number\n    Default: 1\n", "two", Some("Parameters.P: `two` is not a number")),
    ];
    for (lines, value, expected) in cases {
        let source = Source { parameters: [("P".to_owned(), value.to_owned())].into(), ..source() };
        let said = parse(&declare(lines), &source).err().map(|error| error.to_string());
        assert_eq!(said, expected.map(|expected| format!("template.yaml:4: {expected}")), "{value}");
    }
    assert_eq!(refusal(&declare("    Type: String\n")).to_string(), "template.yaml:4: Parameters.P: this parameter has no default and is not given");
    let unknown = Source { parameters: [("Stagee".to_owned(), "x".to_owned())].into(), ..source() };
    assert_eq!(parse(SMALL, &unknown).expect_err("refused").to_string(), "template.yaml:3: Parameters: there is no parameter `Stagee` to set");
}

#[test]
fn two_queues_cannot_have_one_name() {
    let text = small_with("RedrivePolicy:", "QueueName: quire-Dead\n      RedrivePolicy:");
    assert_eq!(refusal(&text).message, "another resource of this type has the same name");
}

#[test]
fn a_template_has_one_http_api() {
    check(&[(
        "  Worker:\n",
        "  Second:\n    Type: AWS::Serverless::HttpApi\n  Worker:\n",
        "Second",
        "Resources.Second: one HTTP API is supported, not two",
    )]);
}

#[test]
fn errors_of_a_file_name_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("other.yaml");
    let missing = load(&path, &source()).expect_err("there is no such file");
    assert!(missing.to_string().starts_with(&format!("{}: cannot be read: ", path.display())), "{missing}");

    std::fs::write(&path, "Transform: x\nResources: {}\n").expect("written");
    let error = load(Path::new(&path), &source()).expect_err("refused");
    assert_eq!(error.to_string(), format!("{}:1: Transform: `x` must be AWS::Serverless-2016-10-31", path.display()));
}

#[test]
fn a_template_cut_off_anywhere_is_read_or_refused_at_one_of_its_lines() {
    for end in 1..SMALL.len() {
        let text = &SMALL[..end];
        if let Err(error) = parse(text, &source()) {
            assert!(error.line.is_some_and(|line| (1..=text.lines().count() + 1).contains(&line)), "{end}: {error}");
        }
    }
}
