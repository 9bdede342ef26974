//! Intrinsic functions, seen through an environment variable of a function.

use super::{SMALL, Source, parse, refusal, small_with, source};

/// The template with a variable `RESULT` and one more parameter of each kind.
fn with_variable(value: &str) -> String {
    let text = small_with(
        "      CodeUri: .\n",
        &format!("      CodeUri: .\n      Environment:\n        Variables:\n          OTHER: x\n          RESULT: {value}\n"),
    );
    text.replace(
        "Parameters:\n",
        "Parameters:\n  Names:\n    Type: CommaDelimitedList\n    Default: a, b,c\n  Count:\n    Type: Number\n    Default: 5\n",
    )
}

fn result(value: &str, stage: &str) -> Option<String> {
    let source = Source { parameters: [("Stage".to_owned(), stage.to_owned())].into(), ..source() };
    let stack = parse(&with_variable(value), &source).unwrap_or_else(|error| panic!("{value}: {error}"));
    stack.functions["Worker"].environment.get("RESULT").cloned()
}

#[test]
fn functions_give_the_values_that_cloudformation_gives() {
    let url = "http://127.0.0.1:4000/000000000000/quire-Jobs";
    let arn = "arn:aws:sqs:eu-west-1:000000000000:quire-Jobs";
    let cases = [
        ("plain", "plain"),
        ("TRUE", "true"),
        ("\"TRUE\"", "TRUE"),
        ("!Ref Stage", "dev"),
        ("{Ref: Stage}", "dev"),
        ("!Ref Count", "5"),
        ("!Ref Jobs", url),
        ("!Ref Table", "quire-Table"),
        ("!Ref Worker", "quire-Worker"),
        ("!Ref Api", "local"),
        ("!Ref AWS::Region", "eu-west-1"),
        ("!Ref AWS::AccountId", "000000000000"),
        ("!Ref AWS::StackName", "quire"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!GetAtt Jobs.Arn", arn),
        ("!GetAtt [Jobs, Arn]", arn),
        ("{\"Fn::GetAtt\": [Jobs, QueueName]}", "quire-Jobs"),
        ("!GetAtt Jobs.QueueUrl", url),
        ("!GetAtt Table.StreamArn", "arn:aws:dynamodb:eu-west-1:000000000000:table/quire-Table/stream/local"),
        ("!GetAtt Worker.Arn", "arn:aws:lambda:eu-west-1:000000000000:function:quire-Worker"),
        ("!Sub \"${Stage}-${Jobs.QueueName}-${AWS::Region}-${!Stage}\"", "dev-quire-Jobs-eu-west-1-${Stage}"),
        ("!Sub [\"${A}/${Stage}\", {A: !Ref Count}]", "5/dev"),
        ("{\"Fn::Sub\": \"${Count}\"}", "5"),
        ("!Join [\"-\", [a, !Ref Stage, !Ref AWS::NoValue]]", "a-dev"),
        ("!Join [\":\", !Ref Names]", "a:b:c"),
        ("!Join [\"+\", !Split [\",\", \"x,y\"]]", "x+y"),
        ("!Select [1, !Ref Names]", "b"),
        ("!Select [\"2\", !Split [\"/\", \"x/y/z\"]]", "z"),
        ("!If [IsProd, yes it is, it is not]", "it is not"),
        ("{\"Fn::If\": [IsProd, a, {Ref: Stage}]}", "dev"),
    ];
    for (value, expected) in cases {
        assert_eq!(result(value, "dev").as_deref(), Some(expected), "{value}");
    }
}

#[test]
fn no_value_removes_the_property() {
    assert_eq!(result("!Ref AWS::NoValue", "dev"), None);
    assert_eq!(result("!If [IsProd, x, !Ref AWS::NoValue]", "dev"), None);
    assert_eq!(result("!If [IsProd, x, !Ref AWS::NoValue]", "prod").as_deref(), Some("x"));
}

#[test]
fn condition_functions_combine() {
    let cases = [
        ("!Not [!Condition IsProd]", true, false),
        ("!And [!Condition IsProd, !Equals [a, a]]", false, true),
        ("!Or [!Condition IsProd, !Equals [a, b]]", false, true),
        ("!Equals [!Ref Stage, dev]", true, false),
        ("{\"Fn::Not\": [{\"Fn::Equals\": [{Ref: Stage}, dev]}]}", false, true),
        ("!Equals [!Join [\"\", [!Ref Stage, x]], devx]", true, false),
    ];
    for (condition, dev, prod) in cases {
        for (stage, expected) in [("dev", dev), ("prod", prod)] {
            let text = with_variable("!If [Tested, yes it is, it is not]").replace("Conditions:\n", &format!("Conditions:\n  Tested: {condition}\n"));
            let source = Source { parameters: [("Stage".to_owned(), stage.to_owned())].into(), ..source() };
            let stack = parse(&text, &source).unwrap_or_else(|error| panic!("{condition}: {error}"));
            assert_eq!(stack.functions["Worker"].environment["RESULT"] == "yes it is", expected, "{condition} in {stage}");
        }
    }
}

#[test]
fn what_a_function_cannot_do_is_refused_at_its_line() {
    let cases = [
        ("!Ref Missing", "there is no parameter or resource `Missing`"),
        ("!Ref AWS::StackId", "there is no parameter or resource `AWS::StackId`"),
        ("!GetAtt Jobs.Name", "`Jobs` has no attribute `Name`"),
        ("!GetAtt Missing.Arn", "there is no parameter or resource `Missing`"),
        ("!GetAtt Jobs", "must be a resource and an attribute, such as Table.Arn"),
        ("!Sub \"${Names}\"", "`Names` is a list and cannot stand in text"),
        ("!Sub \"${Missing.Arn}\"", "there is no parameter or resource `Missing`"),
        ("!Sub \"${Stage\"", "`${` has no `}`"),
        ("!Ref Names", "must be text"),
        ("!Select [3, !Ref Names]", "the list has no item 3"),
        ("!Join [a]", "must be a list of 2"),
        ("!If [Missing, a, b]", "there is no condition `Missing`"),
        ("!ImportValue x", "Fn::ImportValue is not supported here"),
        ("!Equals [a, b]", "Fn::Equals is not supported here"),
        ("{Ref: Stage, Other: x}", "a function must be the only key of its mapping"),
        ("!!str x", "the tag `tag:yaml.org,2002:!str` is not supported"),
        ("yes", "write true, false or \"yes\"; a plain `yes` is ambiguous"),
        ("~", "CloudFormation refuses an empty value; write \"\" for empty text"),
        ("*x", "CloudFormation knows no YAML aliases"),
    ];
    for (value, message) in cases {
        let text = with_variable(value);
        let text = if value == "*x" { text.replace("OTHER: x", "OTHER: &x x") } else { text };
        let error = refusal(&text);
        assert_eq!(error.message, message, "{value}");
        assert_eq!(error.line, Some(super::line_of(&text, "RESULT:")), "{value}: {error}");
        assert!(error.path.starts_with("Resources.Worker.Properties.Environment.Variables.RESULT"), "{value}: {error}");
    }
}

#[test]
fn conditions_that_depend_on_themselves_are_refused() {
    let text = SMALL.replace("Conditions:\n", "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\n");
    let error = refusal(&text);
    assert_eq!((error.line, error.message.as_str()), (Some(super::line_of(&text, "  B:")), "the condition `A` depends on itself"));
}

#[test]
fn a_reference_to_a_resource_that_is_left_out_is_refused() {
    let text = small_with("  Dead:\n    Type: AWS::SQS::Queue\n", "  Dead:\n    Type: AWS::SQS::Queue\n    Condition: IsProd\n");
    assert_eq!(refusal(&text).message, "`Dead` is left out by its condition");
}
