//! The dashboard as one HTML file that needs no server. The file is built by `web/tools/standalone.mjs`: script, styles and icon stand in
//! it, and a policy that allows just these, by their hashes, and no request at all. Here it is filled: with a title, a text for readers
//! without scripts, and the answers that the page would have asked for.

use std::borrow::Cow;

/// The file as it was built, with a mark where each part is to stand.
const PAGE: &str = include_str!("../standalone/page.html");
const TITLE: &str = "<!--votestream:title-->";
const SUMMARY: &str = "<!--votestream:summary-->";
const ANSWERS: &str = "<!--votestream:answers-->";

/// What the page shows; texts as they are, not escaped.
#[derive(Clone, Copy, Debug)]
pub struct Standalone<'a> {
    /// Title of the page until its script runs.
    pub title: &'a str,
    /// The same in plain text, for readers without scripts.
    pub summary: &'a str,
    /// JSON: an object of API paths with what the server would answer, and `taken`.
    pub answers: &'a str,
}

impl Standalone<'_> {
    /// The page.
    pub fn html(&self) -> String {
        // Each mark is looked for behind the one before it, so that none is found in what was put in its place.
        let (head, rest) = cut(PAGE, TITLE);
        let (middle, rest) = cut(rest, SUMMARY);
        let (before, tail) = cut(rest, ANSWERS);
        [head, &escaped(self.title), middle, &escaped(self.summary), before, &in_script(self.answers), tail]
            .concat()
    }
}

/// What stands before and behind a mark. The build refuses a page without its marks, and a test here looks for them again.
fn cut<'p>(page: &'p str, mark: &str) -> (&'p str, &'p str) {
    page.split_once(mark).unwrap_or((page, ""))
}

/// JSON inside a script element: no `<` is left that could end it, and what it says is the same.
fn in_script(json: &str) -> Cow<'_, str> {
    if json.contains('<') { Cow::Owned(json.replace('<', "\\u003c")) } else { Cow::Borrowed(json) }
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(answers: &str, title: &str) -> String {
        Standalone { title, summary: "<b>1 & 2</b>", answers }.html()
    }

    #[test]
    fn the_built_page_has_its_marks_in_their_order() {
        let places = [TITLE, SUMMARY, ANSWERS].map(|mark| (PAGE.find(mark), PAGE.matches(mark).count()));
        assert!(places.iter().all(|(at, many)| at.is_some() && *many == 1));
        assert!(places.is_sorted());
    }

    #[test]
    fn everything_stands_in_one_file() {
        let html = page("{\"taken\":\"now\"}", "Title");
        assert!(!html.contains("=\"./") && !html.contains("=\"/"), "a file is still named");
        assert_eq!(
            (html.matches("<script type=\"module\">").count(), html.matches("<style>").count()),
            (1, 1)
        );
        assert!(html.contains("<title>Title</title>"));
        assert!(html.contains("<noscript><pre>&lt;b&gt;1 &amp; 2&lt;/b&gt;</pre></noscript>"));
        let policy = html.find("Content-Security-Policy").expect("a policy");
        assert!(
            html.find("<script").is_some_and(|at| policy < at)
                && html.find("<link").is_some_and(|at| policy < at)
        );
        // The framework's messages may say `unsafe`; the policy may not.
        let policy = html[policy..].split('>').next().unwrap_or("");
        assert!(!policy.contains("unsafe") && policy.contains("connect-src 'none'"), "{policy}");
        assert!(html.trim_end().ends_with("</html>"));
    }

    #[test]
    fn no_name_breaks_out() {
        let name = "</script><img src=x onerror=alert(1)><!-- <script><!--votestream:answers-->";
        let html = page(
            &format!("{{\"name\":\"{name}\"}}"),
            "</title><script>alert(1)</script><!--votestream:summary-->",
        );
        let plain = page("{}", "");
        for text in ["<img", "<script", "</script", "</title", "<!--"] {
            assert_eq!(html.matches(text).count(), plain.matches(text).count(), "{text}");
        }
        let data = html.split_once("id=\"votestream-static\">").expect("the data").1;
        let data = data.split_once("</script>").expect("its end").0;
        assert_eq!(data, format!("{{\"name\":\"{}\"}}", name.replace('<', "\\u003c")));
    }
}
