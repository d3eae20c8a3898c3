//! `/docs`: a page for people, written from the OpenAPI document. No script; its style is a file of its own; nothing is fetched from elsewhere.

use crate::app::App;
use crate::openapi;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

const STYLE: &str = include_str!("../assets/docs.css");

/// The page.
pub(crate) async fn page(State(app): State<Arc<App>>) -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| html(&openapi::value()));
    let mut response = page.as_str().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    crate::respond::put(headers, header::CONTENT_SECURITY_POLICY, &app.page_policy);
    response
}

/// Its icon, in the page itself: one request less, and none that finds nothing.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
    %3Crect width='32' height='32' rx='8' fill='%230d1117'/%3E\
    %3Cpath d='M9 25V16M16 25V7M23 25V12' stroke='%23fff' stroke-width='5'/%3E%3C/svg%3E";

/// Its style.
pub(crate) async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], STYLE)
        .into_response()
}

fn html(api: &Value) -> String {
    let info = &api["info"];
    let mut page = String::with_capacity(64 * 1024);
    let title = escape(text(&info["title"]));
    push(
        &mut page,
        &format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"{ICON}\"><link rel=\"stylesheet\" href=\"/docs/docs.css\"></head><body><main><h1>{title}</h1>{}\
         <p>For programs: <a href=\"/openapi.json\">openapi.json</a> (OpenAPI, version {}).</p>",
            paragraphs(text(&info["description"])),
            escape(text(&info["version"])),
        ),
    );
    contents(&mut page, api);
    for (path, method, operation) in operations(api) {
        one_operation(&mut page, path, method, operation);
    }
    push(
        &mut page,
        "<h2 id=\"problems\">Problems</h2><p>Every \"no\" is an <code>application/problem+json</code> (RFC 9457).</p><dl>",
    );
    for (kind, meaning) in openapi::PROBLEMS {
        push(
            &mut page,
            &format!("<dt id=\"{kind}\"><code>/docs#{kind}</code></dt><dd>{}</dd>", escape(meaning)),
        );
    }
    push(&mut page, "</dl><h2 id=\"schemas\">Schemas</h2>");
    let none = serde_json::Map::new();
    for (name, schema) in api["components"]["schemas"].as_object().unwrap_or(&none) {
        one_schema(&mut page, name, schema);
    }
    push(&mut page, "</main></body></html>\n");
    page
}

fn operations(api: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = api["paths"].as_object().into_iter().flatten();
    let each = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    each.filter(|(_, method, _)| matches!(*method, "get" | "post")).collect()
}

fn contents(page: &mut String, api: &Value) {
    push(page, "<nav aria-label=\"contents\"><ul>");
    for (path, method, operation) in operations(api) {
        push(
            page,
            &format!(
                "<li><a href=\"#{}\"><code>{} {}</code></a> {}</li>",
                anchor(path, method),
                method.to_uppercase(),
                escape(path),
                escape(text(&operation["summary"])),
            ),
        );
    }
    push(
        page,
        "<li><a href=\"#problems\">Problems</a></li><li><a href=\"#schemas\">Schemas</a></li></ul></nav>",
    );
}

fn one_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    push(
        page,
        &format!(
            "<section><h2 id=\"{}\"><code>{} {}</code></h2><p>{}</p>{}",
            anchor(path, method),
            method.to_uppercase(),
            escape(path),
            escape(text(&operation["summary"])),
            paragraphs(text(&operation["description"])),
        ),
    );
    if let Some(parameters) = operation["parameters"].as_array().filter(|list| !list.is_empty()) {
        push(
            page,
            "<table><thead><tr><th>parameter</th><th>in</th><th>type</th><th>meaning</th></tr></thead><tbody>",
        );
        for parameter in parameters {
            push(
                page,
                &format!(
                    "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escape(text(&parameter["name"])),
                    escape(text(&parameter["in"])),
                    kind_of(&parameter["schema"]),
                    escape(text(&parameter["description"])),
                ),
            );
        }
        push(page, "</tbody></table>");
    }
    for (mime, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        push(page, &format!("<p>Body: <code>{}</code> {}</p>", escape(mime), kind_of(&content["schema"])));
    }
    push(page, "<table><thead><tr><th>status</th><th>body</th><th>meaning</th></tr></thead><tbody>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let bodies = response["content"].as_object().into_iter().flatten();
        let bodies: Vec<String> = bodies
            .map(|(mime, content)| format!("<code>{}</code> {}", escape(mime), kind_of(&content["schema"])))
            .collect();
        push(
            page,
            &format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(status),
                bodies.join("<br>"),
                escape(text(&response["description"])),
            ),
        );
    }
    push(page, "</tbody></table></section>");
}

fn one_schema(page: &mut String, name: &str, schema: &Value) {
    let escaped = escape(name);
    push(
        page,
        &format!(
            "<section><h3 id=\"schema-{escaped}\"><code>{escaped}</code></h3>{}",
            paragraphs(text(&schema["description"])),
        ),
    );
    match schema["allOf"].as_array() {
        Some(parts) => parts.iter().for_each(|part| fields(page, part)),
        None => fields(page, schema),
    }
    push(page, "</section>");
}

/// What an object holds, or else what a schema is.
fn fields(page: &mut String, schema: &Value) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(properties) = schema["properties"].as_object() {
        push(page, "<table><thead><tr><th>field</th><th>type</th><th>meaning</th></tr></thead><tbody>");
        for (field, property) in properties {
            let absent = if required.contains(&field.as_str()) { "" } else { " (may be absent)" };
            push(
                page,
                &format!(
                    "<tr><td><code>{}</code>{absent}</td><td>{}</td><td>{}</td></tr>",
                    escape(field),
                    kind_of(property),
                    escape(text(&property["description"])),
                ),
            );
        }
        push(page, "</tbody></table>");
    } else {
        push(page, &format!("<p>{}</p>", kind_of(schema)));
    }
}

/// A schema in a few words, linked where it has a name.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|link| link.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let kinds: Vec<String> = choices.iter().map(kind_of).collect();
            return kinds.join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().map(|value| format!("<code>{}</code>", escape(&value.to_string()))).collect();
        return values.join(", ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec!["any value"],
    };
    let name = escape(&names.join(" or "));
    if names.contains(&"array") {
        return format!("{name} of {}", kind_of(&schema["items"]));
    }
    if schema["additionalProperties"].is_object() {
        return format!("{name} of name to {}", kind_of(&schema["additionalProperties"]));
    }
    name
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn push(page: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = page.write_str(text);
}

fn paragraphs(text: &str) -> String {
    let each = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    each.fold(String::new(), |html, paragraph| html + "<p>" + &escape(paragraph.trim()) + "</p>")
}

fn anchor(path: &str, method: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{method}{}", path.chars().map(plain).collect::<String>())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_operation_and_schema_and_runs_nothing() {
        let api = openapi::value();
        // A namespace is a name; nothing is fetched by it.
        let page = html(&api).replace("xmlns='http://www.w3.org/2000/svg'", "");
        for (path, method, _) in operations(&api) {
            assert!(page.contains(&format!("id=\"{}\"", anchor(path, method))), "{method} {path}");
        }
        for name in api["components"]["schemas"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
        for never in ["<script", "style=", "onclick", "http://", "https://"] {
            assert!(!page.contains(never), "{never}");
        }
        for link in page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
        }
    }
}
