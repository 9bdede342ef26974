//! Tests of the template reader.

mod intrinsics;
mod refusals;
mod stack;

use std::collections::BTreeMap;

use super::{Source, TemplateError, parse};
use crate::{service::ACCOUNT, stack::Stack};

fn source() -> Source {
    Source {
        stack_name: "quire".to_owned(),
        region: "eu-west-1".to_owned(),
        account: ACCOUNT.to_owned(),
        parameters: BTreeMap::new(),
        endpoint_url: "http://127.0.0.1:4000".to_owned(),
    }
}

/// A small template that has one of everything.
const SMALL: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage:
    Type: String
    Default: dev
    AllowedValues: [dev, prod]
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
  Worker:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: worker
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: .
      Policies:
        - Version: "2012-10-17"
          Statement:
            Effect: Allow
            Action: sqs:*
            Resource: "*"
      Events:
        Get:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: get
            Path: /jobs/{id}
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: LATEST
        Daily:
          Type: Schedule
          Properties:
            Schedule: cron(0 3 * * ? *)
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
      KeySchema:
        - {AttributeName: pk, KeyType: HASH}
      StreamSpecification:
        StreamViewType: KEYS_ONLY
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Dead.Arn
        maxReceiveCount: 3
  Dead:
    Type: AWS::SQS::Queue
"#;

/// `SMALL` with one passage replaced, which it must contain.
fn small_with(passage: &str, replacement: &str) -> String {
    assert!(SMALL.contains(passage), "the small template does not contain {passage:?}");
    SMALL.replacen(passage, replacement, 1)
}

#[track_caller]
fn read(text: &str) -> Stack {
    parse(text, &source()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refusal(text: &str) -> TemplateError {
    parse(text, &source()).expect_err("the template is refused")
}

/// The line, counted from 1, that contains `marker`, the first of that kind.
#[track_caller]
fn line_of(text: &str, marker: &str) -> usize {
    1 + text.lines().position(|line| line.contains(marker)).unwrap_or_else(|| panic!("no line contains {marker:?}"))
}
