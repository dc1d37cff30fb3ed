//! The objects of `--json`.

use crate::runner::{Place, Running, run, write_large};
use serde_json::{Value, json};

/// The objects that a program prints. Other lines are those of the standard error output.
fn objects(program: Running) -> (i32, Vec<Value>) {
    let (code, said) = program.end();
    let lines = said.lines().filter(|line| line.starts_with('{'));
    (code, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Replaces what differs between runs, and checks its type.
fn without_times(mut object: Value) -> Value {
    for key in ["seconds", "bytes_per_second", "round_trip_seconds", "loss_percent", "client", "time"] {
        if let Some(value) = object.get_mut(key) {
            let is_text = ["client", "time"].contains(&key) && value.is_string();
            assert!(value.is_number() || value.is_null() || is_text, "{key}: {value}");
            *value = "any".into();
        }
    }
    object
}

fn field<'o>(object: &'o Value, key: &str) -> &'o Value {
    object.get(key).unwrap_or_else(|| panic!("no {key} in {object}"))
}

#[test]
fn a_transfer_ends_with_one_object() {
    let place = Place::new();
    let (root, state) = (place.server("").display().to_string(), place.client("state").display().to_string());
    let mut server = run(&["serve", "--json", "--bind", "127.0.0.1:0", "--root", &root, "--state", &state]);
    let serving: Value = serde_json::from_str(&server.expect("serving")).unwrap();
    let address = field(&serving, "address").as_str().unwrap().to_owned();
    assert_eq!(serving, json!({ "type": "serving", "root": root, "address": address }));

    let file = place.client("a");
    std::fs::write(&file, "content").unwrap();
    let (code, printed) = objects(place.put(&file, &address, &["--json"]));
    let result = |request, file: &std::path::Path| {
        json!({ "type": "result", "request": request, "name": "a", "file": file.display().to_string(),
                "server": address, "bytes": 7, "seconds": "any" })
    };
    assert_eq!((code, printed.into_iter().map(without_times).collect()), (0, vec![result("put", &file)]));
    let (code, printed) = objects(place.get("a", &address, &["--json"]));
    assert_eq!((code, printed.into_iter().map(without_times).collect()), (0, vec![result("get", &file)]));
    let (code, printed) = objects(place.get("none", &address, &["--json"]));
    let message = format!("{address} refused \"none\": it has no such file; check the name");
    assert_eq!((code, printed), (1, vec![json!({ "type": "error", "message": message, "exit_code": 1 })]));

    let mut request = |request, name, ok, message, bytes| {
        let printed = without_times(serde_json::from_str(&server.expect("\"type\":\"request\"")).unwrap());
        let expected = json!({ "type": "request", "time": "any", "client": "any", "request": request, "name": name, "ok": ok,
                               "message": message, "bytes": bytes, "seconds": "any" });
        assert_eq!(printed, expected);
    };
    request("put", "a", true, "stored", 7);
    request("get", "a", true, "sent", 7);
    request("get", "none", false, "refused: no such file", 0);
}

#[cfg(unix)]
#[test]
fn progress_is_an_object_a_second() {
    let place = Place::new();
    let server = place.serve(&[]);
    write_large(&place.client("large"));
    let options = ["--segment", "1432", "--json", "--loss", "40"];
    let mut client = place.put(&place.client("large"), &server.address, &options);
    let first: Value = serde_json::from_str(&client.expect("\"type\":\"progress\"")).unwrap();
    let second: Value = serde_json::from_str(&client.expect("\"type\":\"progress\"")).unwrap();
    let bytes = |object: &Value| field(object, "bytes").as_u64().unwrap();
    assert!(bytes(&first) < bytes(&second) && field(&second, "bytes_per_second").as_u64().unwrap() > 0);
    assert!(field(&second, "round_trip_seconds").is_number() && field(&second, "loss_percent").is_number());
    let expected = json!({ "type": "progress", "request": "put", "name": "large", "bytes": bytes(&first),
                           "length": 1 << 30, "bytes_per_second": "any", "round_trip_seconds": "any",
                           "loss_percent": "any" });
    assert_eq!(without_times(first), expected);
    client.interrupt();
    let (code, printed) = objects(client);
    let last = printed.last().unwrap();
    let message = field(last, "message").as_str().unwrap();
    assert!(message.contains("of 1.00 GiB of \"large\" were transferred"), "{message}");
    assert_eq!((code, last), (130, &json!({ "type": "error", "message": message, "exit_code": 130 })));
}

#[test]
fn a_load_test_prints_its_result_as_an_object() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (code, printed) = objects(run(&["load", &server.address, "--clients", "3", "--size", "10", "--json"]));
    let [load] = &printed[..] else { panic!("{printed:?}") };
    let spread = ["least", "median", "percentile_99", "most"];
    assert!(spread.iter().all(|key| field(field(load, "client_seconds"), key).is_number()), "{load}");
    let load =
        json!({ "type": load["type"], "clients": load["clients"], "equal": load["equal"], "bytes": load["bytes"] });
    assert_eq!((code, load), (0, json!({ "type": "load", "clients": 3, "equal": 3, "bytes": 60 })));
}

#[test]
#[cfg(target_os = "linux")]
fn each_failed_client_of_a_load_test_has_an_object() {
    let (code, printed) = objects(run(&["load", "127.0.0.1:1", "--clients", "2", "--json"]));
    let types: Vec<_> = printed.iter().map(|object| field(object, "type").as_str().unwrap()).collect();
    assert_eq!((code, types), (1, vec!["client_error", "client_error", "load", "error"]));
    assert_eq!(*field(&printed[2], "client_seconds"), Value::Null);
}
