//! What invokes a function: routes, queues, streams and schedules.

use std::time::Duration;

use serde_json::Value;

use super::{TemplateError, fields::Fields, function::Surroundings, names, node::Node};
use crate::stack::{Function, Queue, QueueTrigger, Route, ScheduleTrigger, Statement, StreamTrigger, Trigger};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"];

/// Texts for the console.
const SCHEDULE_NO_EFFECT: [&str; 2] = ["Description", "Name"];

/// Reads the event `name` into `function`.
pub(super) fn read(name: &str, event: &Node, function: &mut Function, surroundings: &mut Surroundings<'_>) -> Result<(), TemplateError> {
    let fields = event.fields(&["Type", "Properties"], &[])?;
    let kind = fields.required("Type")?;
    let properties = fields.required("Properties")?;
    let trigger = match kind.one_of(&["HttpApi", "SQS", "DynamoDB", "Schedule"])? {
        "HttpApi" => {
            let route = route(properties, &function.logical_id, surroundings)?;
            function.routes.push(route);
            return Ok(());
        }
        "SQS" => Trigger::Queue(queue(properties, function, surroundings)?),
        "DynamoDB" => Trigger::Stream(stream(properties, function, surroundings)?),
        _ => Trigger::Schedule(schedule(name, properties)?),
    };
    function.triggers.push(trigger);
    Ok(())
}

fn route(properties: &Node, function: &str, surroundings: &mut Surroundings<'_>) -> Result<Route, TemplateError> {
    let fields = properties.fields(&["ApiId", "Method", "Path"], &[])?;
    match fields.get("ApiId") {
        Some(api) if api.text()? != names::API_ID || !surroundings.has_api => return Err(api.error("must be a Ref to the HTTP API of this template")),
        None if surroundings.has_api => return Err(properties.error("`ApiId` is missing, so SAM would make a second API with a URL of its own")),
        _ => {}
    }
    let route = match (fields.get("Method"), fields.get("Path")) {
        (None, None) => Route { method: "ANY".to_owned(), path: "$default".to_owned() },
        _ => {
            let method = fields.required("Method")?;
            let upper = method.text()?.to_ascii_uppercase();
            if !METHODS.contains(&upper.as_str()) {
                return Err(method.error(format!("must be {}", METHODS.join(" or "))));
            }
            let path = fields.required("Path")?;
            check_path(path)?;
            Route { method: upper, path: path.text()?.to_owned() }
        }
    };
    let shape: Vec<&str> = route.path.split('/').map(|segment| if is_parameter(segment) { "{}" } else { segment }).collect();
    let shape = format!("{} {}", route.method, shape.join("/"));
    match surroundings.routes.insert(shape, function.to_owned()) {
        Some(other) => Err(properties.error(format!("{} {} is a route of `{other}` already", route.method, route.path))),
        None => Ok(route),
    }
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}') && !segment.ends_with("+}")
}

fn check_path(node: &Node) -> Result<(), TemplateError> {
    let path = node.text()?;
    if path == "$default" {
        return Ok(());
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Err(node.error("must start with a slash"));
    };
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(segment);
        let is_greedy = segment.starts_with('{') && name.ends_with('+');
        if is_greedy && segments.peek().is_some() {
            return Err(node.error("a greedy parameter must be the last segment"));
        }
        if name.contains(['{', '}']) || (name.is_empty() && segment.starts_with('{')) {
            return Err(node.error("a parameter must be a whole segment, such as {id} or {proxy+}"));
        }
    }
    Ok(())
}

fn queue(properties: &Node, function: &Function, surroundings: &Surroundings<'_>) -> Result<QueueTrigger, TemplateError> {
    let modelled = ["Queue", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig", "FilterCriteria", "Enabled"];
    let fields = properties.fields(&modelled, &[])?;
    let node = fields.required("Queue")?;
    let queue = find_queue(node, surroundings)?;
    let visibility = queue.attributes.get("VisibilityTimeout").map_or(Ok(30), |text| text.parse());
    let visibility = visibility.map_or(Duration::ZERO, Duration::from_secs);
    if visibility < function.timeout {
        let (visibility, timeout) = (visibility.as_secs(), function.timeout.as_secs());
        return Err(node.error(format!("the queue's VisibilityTimeout of {visibility} s is less than the function's Timeout of {timeout} s")));
    }
    let batch_window = batch_window(fields)?;
    let most = match (queue.attributes.contains_key("FifoQueue"), fields.get("MaximumBatchingWindowInSeconds")) {
        (true, Some(window)) if !batch_window.is_zero() => return Err(window.error("a FIFO queue takes no batching window")),
        (false, _) if !batch_window.is_zero() => 10_000,
        _ => 10,
    };
    let batch_size = match fields.get("BatchSize") {
        Some(size) if most == 10 && size.integer(11..=10_000).is_ok() => {
            return Err(size.error("more than 10 needs a standard queue and MaximumBatchingWindowInSeconds of at least 1"));
        }
        Some(size) => size.integer(1..=most)?,
        None => 10,
    };
    let maximum_concurrency = match fields.get("ScalingConfig") {
        Some(scaling) => scaling.fields(&["MaximumConcurrency"], &[])?.integer("MaximumConcurrency", 2..=1_000)?,
        None => None,
    };
    Ok(QueueTrigger {
        queue_arn: queue.arn.clone(),
        batch_size,
        batch_window,
        report_batch_item_failures: reports_failures(fields)?,
        maximum_concurrency,
        filters: filters(fields)?,
        enabled: fields.boolean("Enabled")?.unwrap_or(true),
    })
}

fn stream(properties: &Node, function: &mut Function, surroundings: &Surroundings<'_>) -> Result<StreamTrigger, TemplateError> {
    let modelled = [
        "Stream",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "StartingPosition",
        "FunctionResponseTypes",
        "BisectBatchOnFunctionError",
        "MaximumRetryAttempts",
        "MaximumRecordAgeInSeconds",
        "DestinationConfig",
        "ParallelizationFactor",
        "FilterCriteria",
        "Enabled",
    ];
    let fields = properties.fields(&modelled, &[])?;
    let node = fields.required("Stream")?;
    let arn = node.text()?;
    let table = surroundings.tables.iter().find(|(_, table)| names::stream_arn(&table.arn) == arn);
    let (table, _) = table.ok_or_else(|| node.error("is not the StreamArn of a table of this template"))?;
    // AWS writes no limit as -1.
    let retries: Option<i64> = fields.integer("MaximumRetryAttempts", -1..=10_000)?;
    let age = match fields.get("MaximumRecordAgeInSeconds") {
        Some(node) if node.text()? != "-1" => Some(Duration::from_secs(node.integer(60..=604_800)?)),
        _ => None,
    };
    Ok(StreamTrigger {
        table: table.clone(),
        batch_size: fields.integer("BatchSize", 1..=10_000)?.unwrap_or(100),
        batch_window: batch_window(fields)?,
        from_trim_horizon: fields.required("StartingPosition")?.one_of(&["TRIM_HORIZON", "LATEST"])? == "TRIM_HORIZON",
        report_batch_item_failures: reports_failures(fields)?,
        bisect_batch_on_function_error: fields.boolean("BisectBatchOnFunctionError")?.unwrap_or(false),
        maximum_retry_attempts: retries.and_then(|retries| u32::try_from(retries).ok()),
        maximum_record_age: age,
        on_failure: fields.get("DestinationConfig").map(|node| on_failure(node, function, surroundings)).transpose()?,
        parallelization_factor: fields.integer("ParallelizationFactor", 1..=10)?.unwrap_or(1),
        filters: filters(fields)?,
        enabled: fields.boolean("Enabled")?.unwrap_or(true),
    })
}

/// The queue that is told of failures; SAM lets the function's role send to it.
fn on_failure(node: &Node, function: &mut Function, surroundings: &Surroundings<'_>) -> Result<String, TemplateError> {
    let fields = node.fields(&["OnFailure"], &[])?.required("OnFailure")?.fields(&["Type", "Destination"], &[])?;
    // Without a type, SAM would not grant the right to send.
    fields.required("Type")?.one_of(&["SQS"])?;
    let arn = find_queue(fields.required("Destination")?, surroundings)?.arn.clone();
    function.statements.push(Statement {
        allow: true,
        actions: vec!["sqs:SendMessage".to_owned()],
        resources: vec![arn.clone()],
        conditions: Default::default(),
    });
    Ok(arn)
}

fn schedule(name: &str, properties: &Node) -> Result<ScheduleTrigger, TemplateError> {
    let fields = properties.fields(&["Schedule", "Input", "Enabled", "State"], &SCHEDULE_NO_EFFECT)?;
    let expression = fields.required("Schedule")?;
    check_expression(expression)?;
    let enabled = match (fields.get("Enabled"), fields.get("State")) {
        (Some(_), Some(state)) => return Err(state.error("give Enabled or State, not both")),
        (Some(enabled), None) => enabled.boolean()?,
        (None, Some(state)) => state.one_of(&["ENABLED", "DISABLED"])? == "ENABLED",
        (None, None) => true,
    };
    let input = match fields.get("Input") {
        Some(node) => {
            json(node)?;
            Some(node.text()?.to_owned())
        }
        None => None,
    };
    Ok(ScheduleTrigger { name: name.to_owned(), expression: expression.text()?.to_owned(), input, enabled })
}

fn check_expression(node: &Node) -> Result<(), TemplateError> {
    let argument = |function: &str| node.text().ok()?.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')');
    let is_right = match (argument("rate"), argument("cron")) {
        (Some(rate), _) => match rate.split_once(' ') {
            Some(("1", unit)) => ["minute", "hour", "day"].contains(&unit),
            Some((number, unit)) => number.parse().is_ok_and(|number: u32| number > 1) && ["minutes", "hours", "days"].contains(&unit),
            None => false,
        },
        (None, Some(cron)) => cron.split_whitespace().count() == 6,
        (None, None) => false,
    };
    if is_right { Ok(()) } else { Err(node.error("must be such as rate(1 minute), rate(5 minutes) or cron(0 3 * * ? *)")) }
}

fn find_queue<'a>(node: &Node, surroundings: &Surroundings<'a>) -> Result<&'a Queue, TemplateError> {
    let arn = node.text()?;
    surroundings.queues.iter().find(|queue| queue.arn == arn).ok_or_else(|| node.error("is not the ARN of a queue of this template"))
}

fn batch_window(fields: Fields<'_>) -> Result<Duration, TemplateError> {
    Ok(Duration::from_secs(fields.integer("MaximumBatchingWindowInSeconds", 0..=300)?.unwrap_or(0)))
}

fn reports_failures(fields: Fields<'_>) -> Result<bool, TemplateError> {
    let Some(types) = fields.get("FunctionResponseTypes") else { return Ok(false) };
    for kind in types.list()? {
        kind.one_of(&["ReportBatchItemFailures"])?;
    }
    Ok(!types.list()?.is_empty())
}

fn filters(fields: Fields<'_>) -> Result<Vec<Value>, TemplateError> {
    let Some(criteria) = fields.get("FilterCriteria") else { return Ok(Vec::new()) };
    let Some(filters) = criteria.fields(&["Filters"], &[])?.get("Filters") else { return Ok(Vec::new()) };
    let pattern = |filter: &Node| {
        let node = filter.fields(&["Pattern"], &[])?.required("Pattern")?;
        let pattern = json(node)?;
        if pattern.is_object() { Ok(pattern) } else { Err(node.error("must be a JSON object")) }
    };
    filters.list()?.iter().map(pattern).collect()
}

fn json(node: &Node) -> Result<Value, TemplateError> {
    serde_json::from_str(node.text()?).map_err(|error| node.error(format!("must be JSON: {error}")))
}
